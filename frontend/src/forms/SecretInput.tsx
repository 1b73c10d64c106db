import { KeyRound } from "lucide-react";
import type { InputProps } from "./Field";
import { MASK } from "./schema";

/** A secret can be set and replaced, never read: the server sends a mask, and the mask sent back means "unchanged". */
export function SecretInput({ id, value, disabled, onChange, aria }: InputProps) {
  if (value === MASK) {
    return (
      <div className="secret-stored">
        <span id={id}>
          <KeyRound size={15} aria-hidden="true" /> Stored
        </span>
        <button type="button" className="button small" disabled={disabled} onClick={() => onChange("")}>
          Replace
        </button>
        <button
          type="button"
          className="button small"
          disabled={disabled}
          onClick={() => onChange(undefined)}
        >
          Remove
        </button>
      </div>
    );
  }
  return (
    <input
      {...aria}
      id={id}
      type="password"
      autoComplete="new-password"
      spellCheck={false}
      value={String(value ?? "")}
      placeholder="Not set"
      disabled={disabled}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
