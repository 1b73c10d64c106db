import { Brain, RotateCw, TriangleAlert } from "lucide-react";
import { memo } from "react";
import { PluginMount } from "@/plugins/react";
import { CopyButton } from "@/ui/CopyButton";
import { seconds, whole } from "@/ui/format";
import { Markdown } from "@/ui/Markdown";
import { ToolCard } from "./ToolCard";
import { type AssistantTurn, type Part, type Turn, textOf, type UserTurn } from "./turns";

interface TurnProps {
  readonly turn: Turn;
  readonly onRetry: (() => void) | undefined;
}

export const TurnView = memo(function TurnView({ turn, onRetry }: TurnProps) {
  return turn.role === "user" ? <UserMessage turn={turn} /> : <Answer turn={turn} onRetry={onRetry} />;
});

function UserMessage({ turn }: { turn: UserTurn }) {
  return (
    <article className="turn turn-user" data-testid="message-user" aria-label="You">
      <div className="bubble">{turn.text}</div>
    </article>
  );
}

function Answer({ turn, onRetry }: { turn: AssistantTurn; onRetry: (() => void) | undefined }) {
  const open = turn.status === "waiting" || turn.status === "streaming";
  return (
    <article
      className="turn turn-assistant"
      data-testid="message-assistant"
      data-status={turn.status}
      aria-label="Answer"
    >
      {turn.parts.map((part, index) => (
        <PartView // biome-ignore lint/suspicious/noArrayIndexKey: parts are only ever added at the end
          key={`${part.kind}-${index}`}
          part={part}
        />
      ))}
      {open && <Thinking waiting={turn.status === "waiting"} />}
      {turn.status === "stopped" && <p className="turn-note">Stopped.</p>}
      {turn.error && <AnswerError turn={turn} onRetry={onRetry} />}
      {!open && <AnswerFoot turn={turn} onRetry={onRetry} />}
    </article>
  );
}

function PartView({ part }: { part: Part }) {
  if (part.kind === "text") return <Markdown text={part.text} />;
  if (part.kind === "tool") return <ToolCard call={part.call} />;
  return (
    <details className="reasoning">
      <summary>
        <Brain size={15} aria-hidden="true" /> Reasoning
      </summary>
      <Markdown text={part.text} />
    </details>
  );
}

function Thinking({ waiting }: { waiting: boolean }) {
  return (
    <span className="thinking" role="status" aria-label={waiting ? "Waiting for the answer" : "Answering"}>
      <i />
      <i />
      <i />
    </span>
  );
}

function AnswerError({
  turn: { error },
  onRetry,
}: {
  turn: AssistantTurn;
  onRetry: (() => void) | undefined;
}) {
  return (
    <div className="answer-error" role="alert" data-testid="message-error">
      <TriangleAlert size={18} aria-hidden="true" />
      <div>
        <strong>{error?.title}</strong>
        {error?.detail && error.detail !== error.title && <p>{error.detail}</p>}
      </div>
      {onRetry && (
        <button type="button" className="button small" onClick={onRetry} data-testid="message-retry">
          <RotateCw size={14} aria-hidden="true" /> Retry
        </button>
      )}
    </div>
  );
}

function AnswerFoot({ turn, onRetry }: { turn: AssistantTurn; onRetry: (() => void) | undefined }) {
  const text = textOf(turn);
  return (
    <footer className="turn-foot">
      {text && <CopyButton text={() => text} label="Copy answer" />}
      {onRetry && !turn.error && (
        <button
          type="button"
          className="icon-button"
          aria-label="Ask again"
          title="Ask again"
          onClick={onRetry}
        >
          <RotateCw size={15} />
        </button>
      )}
      <PluginMount
        mountPoint="message-actions"
        slot={{ message: { id: turn.id, role: turn.role, text, model: turn.model, usage: turn.usage } }}
      />
      <span className="turn-meta">{metaOf(turn)}</span>
    </footer>
  );
}

function metaOf({ model, usage, durationMs, finishReason }: AssistantTurn): string {
  const facts = [
    model?.split("/").slice(1).join("/") || model,
    usage && `${whole(usage.total_tokens)} tokens`,
    durationMs !== null && seconds(durationMs),
    finishReason === "length" && "cut off at the length limit",
  ];
  return facts.filter(Boolean).join(" · ");
}
