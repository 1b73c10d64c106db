/** What each event of a stream makes of the answer it belongs to. */
import type { ChatStreamEvent, Problem } from "@/api/types";
import type { ChatEvents } from "@/plugins/types";
import {
  type AssistantTurn,
  appendText,
  callOf,
  changeCall,
  type Part,
  replaceText,
  type ToolCall,
} from "./turns";

export function applied(turn: AssistantTurn, { event, data }: ChatStreamEvent): AssistantTurn {
  switch (event) {
    case "message.start":
      return begun(turn, data);
    case "delta":
      return withParts(turn, appendText(turn.parts, "text", data.content));
    case "reasoning":
      return withParts(turn, appendText(turn.parts, "reasoning", data.content));
    case "tool.call":
      return withParts(turn, called(turn.parts, data));
    case "tool.approval":
      return withParts(turn, held(turn.parts, data));
    case "tool.progress":
      return withParts(turn, progressed(turn.parts, data));
    case "tool.result":
      return withParts(turn, returned(turn.parts, data));
    case "message.end":
      return ended(turn, data);
    case "error":
      return { ...turn, status: "failed", error: failed(data) };
    default:
      return turn;
  }
}

function begun(turn: AssistantTurn, { message_id: id, model }: ChatEvents["message.start"]): AssistantTurn {
  const siblings = turn.siblings.map((sibling) => (sibling === turn.placeId ? id : sibling));
  return { ...turn, id, ids: [id], placeId: id, siblings, model, status: "streaming" };
}

function withParts(turn: AssistantTurn, parts: readonly Part[]): AssistantTurn {
  return { ...turn, parts, status: turn.status === "waiting" ? "streaming" : turn.status };
}

/** A call that waited for consent is told of once more when it begins. */
function called(parts: readonly Part[], data: ChatEvents["tool.call"]): readonly Part[] {
  const call: ToolCall = { ...callOf(data), startedAt: Date.now() };
  if (!isHeld(parts, data.id)) return [...parts, { kind: "tool", call }];
  return changeCall(parts, data.id, () => call);
}

function held(parts: readonly Part[], data: ChatEvents["tool.approval"]): readonly Part[] {
  const call: ToolCall = { ...callOf(data), status: "approval", expiresAt: data.expires_at ?? null };
  const known = findCall(parts, data.id)?.status === "running";
  return known ? changeCall(parts, data.id, () => call) : [...parts, { kind: "tool", call }];
}

function isHeld(parts: readonly Part[], id: string): boolean {
  return findCall(parts, id)?.status === "approval";
}

function findCall(parts: readonly Part[], id: string): ToolCall | undefined {
  const found = parts.findLast((part) => part.kind === "tool" && part.call.id === id);
  return found?.kind === "tool" ? found.call : undefined;
}

function progressed(parts: readonly Part[], { id, fraction, message }: ChatEvents["tool.progress"]) {
  const progress = { fraction: fraction ?? null, message: message ?? "" };
  return changeCall(parts, id, (call) => ({ ...allowed(call), progress }));
}

function returned(parts: readonly Part[], { id, result, error }: ChatEvents["tool.result"]) {
  const outcome = error ? ({ status: "failed", error } as const) : ({ status: "done", result } as const);
  return changeCall(parts, id, (call) => {
    const durationMs = call.startedAt === undefined ? null : Date.now() - call.startedAt;
    return { ...call, durationMs, ...outcome };
  });
}

/** It does something, so it was allowed to. */
function allowed(call: ToolCall): ToolCall {
  return call.status === "approval" ? { ...call, status: "running", startedAt: Date.now() } : call;
}

function ended(turn: AssistantTurn, data: ChatEvents["message.end"]): AssistantTurn {
  return {
    ...turn,
    parts: typeof data.content === "string" ? replaceText(turn.parts, data.content) : turn.parts,
    status: data.finish_reason === "cancelled" ? "stopped" : "done",
    usage: data.usage ?? null,
    cost: data.cost ?? null,
    durationMs: data.duration_ms ?? null,
    firstTokenMs: data.first_token_ms ?? null,
    finishReason: data.finish_reason ?? null,
  };
}

/** What a stream that is over leaves open. */
export function givenUp(parts: readonly Part[]): readonly Part[] {
  return parts.map((part) => {
    if (part.kind !== "tool" || !["running", "approval"].includes(part.call.status)) return part;
    return { ...part, call: { ...part.call, status: "failed", error: "It did not finish." } };
  });
}

/** Says when another try makes sense as a moment: it stays true however long the page is open. */
function failed({ retry_after, ...data }: ChatEvents["error"]): Problem {
  const later = retry_after
    ? { retry_at: new Date(Date.now() + retry_after * 1_000).toISOString() }
    : undefined;
  return { ...data, status: data.status ?? 500, ...later };
}
