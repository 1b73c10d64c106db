import { Check, ChevronRight, TriangleAlert, Wrench } from "lucide-react";
import { memo, type ReactNode } from "react";
import { PluginMount } from "@/plugins/react";
import { CopyButton } from "@/ui/CopyButton";
import { Spinner } from "@/ui/states";
import { ApprovalCard } from "./ApprovalCard";
import type { ToolCall } from "./turns";

const WORDS = { approval: "Asks you", running: "Running", done: "Done", failed: "Failed" } as const;

/** What a tool was asked and what it said; closed until someone wants to know. */
export const ToolCard = memo(function ToolCard({ call }: { call: ToolCall }) {
  if (call.status === "approval") return <ApprovalCard call={call} />;
  return (
    <details className="tool-card" data-testid="tool-call" data-status={call.status}>
      <summary>
        <ChevronRight size={15} className="tool-arrow" aria-hidden="true" />
        <Wrench size={15} aria-hidden="true" />
        <span className="tool-name">
          {call.pluginId}
          {call.action && <span className="muted"> · {call.action}</span>}
        </span>
        <span className="tool-brief">{briefOf(call)}</span>
        <span className={`tool-status tool-${call.status}`}>
          <StatusIcon status={call.status} /> {WORDS[call.status]}
        </span>
      </summary>
      {call.status === "running" && call.progress && <Progress {...call.progress} />}
      <Block title="Arguments" value={call.arguments} />
      {call.status === "failed" && <Block title="Error" value={errorText(call.error)} bad />}
      {call.status === "done" && call.result !== undefined && <Block title="Result" value={call.result} />}
      <PluginMount mountPoint="tool-result" slot={{ toolCall: call }} />
    </details>
  );
});

function StatusIcon({ status }: { status: ToolCall["status"] }): ReactNode {
  if (status === "running") return <Spinner size={12} />;
  return status === "done" ? (
    <Check size={14} aria-hidden="true" />
  ) : (
    <TriangleAlert size={14} aria-hidden="true" />
  );
}

function Progress({ fraction, message }: { fraction: number | null; message: string }) {
  return (
    <div className="tool-progress">
      <progress value={fraction ?? undefined} max={1} aria-label={message || "Progress"} />
      {message && <span>{message}</span>}
    </div>
  );
}

function Block({ title, value, bad = false }: { title: string; value: unknown; bad?: boolean }) {
  const text = pretty(value);
  if (!text) return null;
  return (
    <section className={bad ? "tool-block bad" : "tool-block"}>
      <header>
        {title} <CopyButton text={() => text} label={`Copy ${title.toLowerCase()}`} />
      </header>
      <pre>{text}</pre>
    </section>
  );
}

/** One line for the closed card: what came out, or what it is doing. */
function briefOf({ status, progress, result, error }: ToolCall): string {
  if (status === "running") return progress?.message ?? "";
  const text = status === "failed" ? errorText(error) : pretty(result);
  return text.replace(/\s+/g, " ").slice(0, 90);
}

function errorText(error: unknown): string {
  if (typeof error !== "object" || error === null) return String(error ?? "It failed and gave no reason.");
  const { detail, message, title } = error as Record<string, unknown>;
  return String(detail ?? message ?? title ?? pretty(error));
}

function pretty(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
