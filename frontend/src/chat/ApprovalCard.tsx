import { ShieldQuestion } from "lucide-react";
import { useContext, useEffect, useId, useRef, useState } from "react";
import type { ApprovalDecision } from "@/api/types";
import { toastError } from "@/ui/toasts";
import { ChatContext } from "./context";
import type { ToolCall } from "./turns";

/** A tool that changes something asks first. The answer waits until somebody decides, or the time is up. */
export function ApprovalCard({ call }: { call: ToolCall }) {
  const session = useContext(ChatContext)?.session;
  const [decided, setDecided] = useState(false);
  const left = useSecondsLeft(call.expiresAt);
  const titleId = useId();
  const card = useRef<HTMLElement>(null);
  useEffect(() => {
    card.current?.scrollIntoView?.({ block: "nearest" });
    // Never a button, and never from somebody who is writing: Enter must not approve by accident.
    if (!isWriting()) card.current?.focus({ preventScroll: true });
  }, []);
  const decide = async (decision: ApprovalDecision) => {
    setDecided(true);
    try {
      await session?.approve(call.id, decision);
    } catch (error) {
      setDecided(false);
      toastError("Your decision did not reach the studio.", error);
    }
  };
  const over = left !== null && left <= 0;
  return (
    <section
      ref={card}
      className="approval"
      role="alertdialog"
      tabIndex={-1}
      aria-labelledby={titleId}
      data-testid="tool-approval"
    >
      <header id={titleId}>
        <ShieldQuestion size={18} aria-hidden="true" />
        <span>
          <strong>{call.pluginId}</strong> wants to run <strong>{call.action || call.name}</strong>
        </span>
        {left !== null && !over && <Countdown seconds={left} />}
      </header>
      <Arguments value={call.arguments} />
      {over ? (
        <p className="muted">The time is up: it was refused.</p>
      ) : (
        <Choices disabled={decided} onDecide={decide} />
      )}
    </section>
  );
}

function Choices({
  disabled,
  onDecide,
}: {
  disabled: boolean;
  onDecide: (decision: ApprovalDecision) => void;
}) {
  return (
    <div className="approval-actions">
      <button
        type="button"
        className="button primary"
        disabled={disabled}
        onClick={() => onDecide({ approve: true })}
      >
        Approve
      </button>
      <button
        type="button"
        className="button"
        disabled={disabled}
        title="Not asked again for this tool in this conversation"
        onClick={() => onDecide({ approve: true, remember: true })}
      >
        Approve always here
      </button>
      <button
        type="button"
        className="button ghost danger-text"
        disabled={disabled}
        onClick={() => onDecide({ approve: false })}
      >
        Refuse
      </button>
    </div>
  );
}

function Countdown({ seconds }: { seconds: number }) {
  const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return (
    <span className="approval-time" role="timer" title="Then it is refused">
      {text}
    </span>
  );
}

/** One line for each argument: what is decided upon must be readable. */
function Arguments({ value }: { value: unknown }) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return <pre>{text(value)}</pre>;
  const entries = Object.entries(value);
  if (entries.length === 0) return <p className="muted">Without arguments.</p>;
  return (
    <dl className="approval-arguments">
      {entries.map(([name, argument]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text(argument)}</dd>
        </div>
      ))}
    </dl>
  );
}

function text(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "");
}

function isWriting(): boolean {
  const { activeElement } = document;
  return activeElement instanceof HTMLTextAreaElement && activeElement.value !== "";
}

function useSecondsLeft(expiresAt: string | null | undefined): number | null {
  const left = () => (expiresAt ? Math.max(0, Math.ceil((Date.parse(expiresAt) - Date.now()) / 1000)) : null);
  const [seconds, setSeconds] = useState(left);
  // biome-ignore lint/correctness/useExhaustiveDependencies: counts for as long as there is something to count
  useEffect(() => {
    if (!expiresAt) return;
    const timer = setInterval(() => setSeconds(left()), 1_000);
    return () => clearInterval(timer);
  }, [expiresAt]);
  return seconds;
}
