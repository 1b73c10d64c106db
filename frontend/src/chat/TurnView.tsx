import { Brain, ChevronDown, ChevronRight, RotateCw, TriangleAlert } from "lucide-react";
import { memo, useContext } from "react";
import { PluginMount } from "@/plugins/react";
import { CopyButton } from "@/ui/CopyButton";
import { Markdown } from "@/ui/Markdown";
import { Menu } from "@/ui/Menu";
import { When } from "@/ui/When";
import { BranchSwitch } from "./BranchSwitch";
import { ChatContext } from "./context";
import { errorWords } from "./errorWords";
import { factsOf, metaOf } from "./facts";
import { ToolCard } from "./ToolCard";
import { type AssistantTurn, type Part, type Turn, textOf } from "./turns";
import { UserMessage } from "./UserMessage";

export const TurnView = memo(function TurnView({ turn }: { turn: Turn }) {
  return turn.role === "user" ? <UserMessage turn={turn} /> : <Answer turn={turn} />;
});

function Answer({ turn }: { turn: AssistantTurn }) {
  const open = turn.status === "waiting" || turn.status === "streaming";
  const held = turn.parts.some((part) => part.kind === "tool" && part.call.status === "approval");
  return (
    <article
      className="turn turn-assistant"
      data-testid="message-assistant"
      data-status={turn.status}
      data-message-id={turn.id}
      aria-label="Answer"
    >
      {turn.parts.map((part, index) => (
        <PartView // biome-ignore lint/suspicious/noArrayIndexKey: parts are only ever added at the end
          key={`${part.kind}-${index}`}
          part={part}
        />
      ))}
      {open && !held && <Thinking waiting={turn.status === "waiting"} />}
      {turn.status === "stopped" && <p className="turn-note">Stopped.</p>}
      {turn.error && <AnswerError turn={turn} />}
      {!open && <AnswerFoot turn={turn} />}
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
        <ChevronRight size={14} className="tool-arrow" aria-hidden="true" />
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

function AnswerError({ turn }: { turn: AssistantTurn }) {
  const again = useRegenerate(turn);
  if (!turn.error) return null;
  const { title, detail } = errorWords(turn.error);
  return (
    <div className="answer-error" role="alert" data-testid="message-error">
      <TriangleAlert size={18} aria-hidden="true" />
      <div>
        <strong>{title}</strong>
        {detail && <p>{detail}</p>}
        {turn.error.retry_at && (
          <p data-testid="message-retry-at">
            Possible again: <When at={turn.error.retry_at} />
          </p>
        )}
      </div>
      {again && (
        <span className="answer-retry">
          <button type="button" className="button small" onClick={() => again()} data-testid="message-retry">
            <RotateCw size={14} aria-hidden="true" /> Retry
          </button>
          <OtherModel again={again} />
        </span>
      )}
    </div>
  );
}

/** Asks for another answer, by the model in use or another one; undefined while that is not possible. */
function useRegenerate(turn: AssistantTurn): ((model?: string) => void) | undefined {
  const around = useContext(ChatContext);
  if (!around?.model || around.busy) return undefined;
  const { session, model } = around;
  return (other = model.id) => void session.regenerate(turn, other);
}

function AnswerFoot({ turn }: { turn: AssistantTurn }) {
  const text = textOf(turn);
  return (
    <footer className="turn-foot">
      <BranchSwitch placeId={turn.placeId} siblings={turn.siblings} what="answer" />
      {text && <CopyButton text={() => text} label="Copy answer" />}
      {!turn.error && <AskAgain turn={turn} />}
      <PluginMount
        mountPoint="message-actions"
        slot={{ message: { id: turn.id, role: turn.role, text, model: turn.model, usage: turn.usage } }}
      />
      <span className="turn-meta" title={factsOf(turn)} data-testid="answer-meta">
        {metaOf(turn)}
      </span>
    </footer>
  );
}

function AskAgain({ turn }: { turn: AssistantTurn }) {
  const again = useRegenerate(turn);
  if (!again) return null;
  return (
    <>
      <button
        type="button"
        className="icon-button"
        aria-label="Ask again"
        title="Ask again"
        onClick={() => again()}
      >
        <RotateCw size={15} />
      </button>
      <OtherModel again={again} />
    </>
  );
}

function OtherModel({ again }: { again: (model: string) => void }) {
  const models = useContext(ChatContext)?.models ?? [];
  if (models.length < 2) return null;
  return (
    <Menu
      label="Ask another model"
      className="narrow"
      icon={<ChevronDown size={14} />}
      items={models.map(({ id, name }) => ({ label: name, hint: id, run: () => again(id) }))}
    />
  );
}
