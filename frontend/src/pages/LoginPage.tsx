import { type FormEvent, useState } from "react";
import { ApiError } from "@/api/http";
import * as studio from "@/api/studio";
import { setPerson } from "@/app/wiring";
import { Logo } from "@/ui/Logo";
import { Spinner } from "@/ui/states";

export function LoginPage() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(undefined);
    try {
      setPerson(await studio.login(String(form.get("username")), String(form.get("password"))));
    } catch (failure) {
      setError(reason(failure));
      setBusy(false);
    }
  };
  return (
    <main className="login">
      <form className="login-card" onSubmit={submit} aria-labelledby="login-title">
        <Logo size={44} />
        <h1 id="login-title">Welcome back</h1>
        <p className="muted">Sign in to AI Chat Studio.</p>
        {error && (
          <p className="form-error" role="alert">
            {error}
          </p>
        )}
        <label className="field">
          <span className="field-label">User name</span>
          <input
            name="username"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            autoFocus
            data-testid="login-username"
          />
        </label>
        <label className="field">
          <span className="field-label">Password</span>
          <input
            name="password"
            type="password"
            autoComplete="current-password"
            required
            data-testid="login-password"
          />
        </label>
        <button type="submit" className="button primary wide" disabled={busy} data-testid="login-submit">
          {busy ? <Spinner /> : "Sign in"}
        </button>
        <p className="hint">
          First time here? The name and password were printed when the studio started, and are in{" "}
          <code>var/first-login.txt</code>.
        </p>
      </form>
    </main>
  );
}

function reason(failure: unknown): string {
  if (failure instanceof ApiError && [400, 401, 403, 422].includes(failure.status)) {
    return failure.problem.detail ?? "That name and password do not go together.";
  }
  return failure instanceof Error ? failure.message : String(failure);
}
