/** Messages as people see them: one turn per speaker, with the tools an answer used inside it. */
import type { Problem, StoredMessage } from "@/api/types";
import type { ChatAttachment, ChatEvents, ChatToolCall, TokenUsage } from "@/plugins/types";

export type ToolCall = ChatToolCall & {
  /** When it began, on this page's clock; stored calls have none. */
  readonly startedAt?: number;
  /** Until when it waits for the person's consent. */
  readonly expiresAt?: string | null;
};

export type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  | { readonly kind: "tool"; readonly call: ToolCall };

interface Placed {
  readonly id: string;
  /** What it answers or follows; `undefined` while the server has not said. */
  readonly parentId: string | null | undefined;
  /** The others at the same place, itself among them: other wordings, other answers. */
  readonly siblings: readonly string[];
  readonly createdAt: string | null;
}

export interface UserTurn extends Placed {
  readonly role: "user";
  readonly text: string;
  readonly attachments: readonly ChatAttachment[];
}

export interface AssistantTurn extends Placed {
  readonly role: "assistant";
  /** All its messages: an answer that used tools is several. */
  readonly ids: readonly string[];
  /** The one of them that stands among siblings. */
  readonly placeId: string;
  readonly parts: readonly Part[];
  readonly model: string | null;
  readonly status: "waiting" | "streaming" | "done" | "stopped" | "failed";
  readonly usage: TokenUsage | null;
  readonly cost: number | null;
  readonly durationMs: number | null;
  readonly firstTokenMs: number | null;
  readonly finishReason: string | null;
  readonly error: Problem | null;
}

export type Turn = UserTurn | AssistantTurn;

export function emptyAnswer(id: string, model: string | null): AssistantTurn {
  return {
    role: "assistant",
    id,
    ids: [id],
    placeId: id,
    parentId: undefined,
    siblings: [],
    createdAt: null,
    parts: [],
    model,
    status: "waiting",
    usage: null,
    cost: null,
    durationMs: null,
    firstTokenMs: null,
    finishReason: null,
    error: null,
  };
}

export function question(
  id: string,
  text: string,
  attachments: readonly ChatAttachment[] = [],
  parentId?: string | null,
): UserTurn {
  return { role: "user", id, text, attachments, parentId, siblings: [], createdAt: null };
}

export function textOf(turn: Turn): string {
  if (turn.role === "user") return turn.text;
  const texts = turn.parts.map((part) => (part.kind === "text" ? part.text : ""));
  return texts.filter(Boolean).join("\n\n");
}

/** Adds to the last part when it is of the same kind, so that a stream makes one text, not a thousand. */
export function appendText(
  parts: readonly Part[],
  kind: "text" | "reasoning",
  text: string,
): readonly Part[] {
  const last = parts.at(-1);
  if (last?.kind !== kind) return [...parts, { kind, text }];
  return [...parts.slice(0, -1), { kind, text: last.text + text }];
}

export function callOf({ id, name, plugin_id, action, arguments: args }: ChatEvents["tool.call"]): ToolCall {
  const [plugin = name, method = ""] = name.split("__");
  return {
    id,
    name,
    pluginId: plugin_id ?? plugin,
    action: action ?? method,
    arguments: args,
    status: "running",
    durationMs: null,
  };
}

/** The latest call with this id: some providers number their calls anew in every round. */
export function changeCall(
  parts: readonly Part[],
  id: string,
  change: (call: ToolCall) => ToolCall,
): readonly Part[] {
  const at = parts.findLastIndex((part) => part.kind === "tool" && part.call.id === id);
  return parts.map((part, index) =>
    index === at && part.kind === "tool" ? { ...part, call: change(part.call) } : part,
  );
}

/** Folds stored messages into turns: an answer with tools is several messages and one turn. */
export function turnsOf(messages: readonly StoredMessage[]): readonly Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    if (message.role === "user") turns.push(asked(message));
    else if (message.role !== "system") turns.push(fold(turns, message));
  }
  return turns;
}

function asked(message: StoredMessage): UserTurn {
  return {
    ...question(message.id, contentOf(message), message.attachments, message.parent_id),
    siblings: message.siblings ?? [],
    createdAt: message.created_at ?? null,
  };
}

/** The turn this message belongs to, taken off the list, with the message in it. */
function fold(turns: Turn[], message: StoredMessage): AssistantTurn {
  const last = turns.at(-1);
  const begun = last?.role === "assistant" ? last : placed(message);
  if (last?.role === "assistant") turns.pop();
  return message.role === "tool" ? withResult(begun, message) : withAnswer(begun, message);
}

function placed({ id, parent_id, siblings = [], created_at }: StoredMessage): AssistantTurn {
  return { ...emptyAnswer(id, null), parentId: parent_id, siblings, createdAt: created_at ?? null };
}

function withAnswer(turn: AssistantTurn, message: StoredMessage): AssistantTurn {
  const text = contentOf(message);
  const error = message.error ? problemOf(message.error) : null;
  const added: (Part | false)[] = [
    Boolean(message.reasoning) && { kind: "reasoning", text: message.reasoning ?? "" },
    Boolean(text) && { kind: "text", text },
    ...(message.tool_calls ?? []).map((raw): Part => ({ kind: "tool", call: storedCall(raw) })),
  ];
  const branches = turn.siblings.length < 2 && (message.siblings?.length ?? 0) > 1;
  return {
    ...turn,
    ...(branches && { placeId: message.id, siblings: message.siblings ?? [] }),
    id: message.id,
    ids: [...new Set([...turn.ids, message.id])],
    parts: [...turn.parts, ...added.filter((part) => part !== false)],
    model: message.model ?? turn.model,
    status: error ? "failed" : statusOf(message),
    usage: addUsage(turn.usage, message.usage),
    cost: addCost(turn.cost, message.cost),
    durationMs: message.duration_ms ?? turn.durationMs,
    firstTokenMs: turn.firstTokenMs ?? message.first_token_ms ?? null,
    finishReason: message.finish_reason ?? turn.finishReason,
    error,
  };
}

function statusOf({ status }: StoredMessage): AssistantTurn["status"] {
  if (status === "streaming") return "waiting";
  return status === "cancelled" ? "stopped" : "done";
}

function contentOf({ content }: StoredMessage): string {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => part.text ?? `[${part.type}]`).join("\n\n");
}

/** Replaces the text after the last tool: what a middleware made of the last round. */
export function replaceText(parts: readonly Part[], text: string): readonly Part[] {
  const begin = parts.findLastIndex((part) => part.kind === "tool") + 1;
  const kept = parts.filter((part, index) => index < begin || part.kind !== "text");
  return text ? [...kept, { kind: "text", text }] : kept;
}

function withResult(turn: AssistantTurn, message: StoredMessage): AssistantTurn {
  const result = parsed(contentOf(message));
  const error = message.error ?? failureIn(result);
  const outcome = error ? { error } : { result };
  const status = error ? "failed" : "done";
  const durationMs = message.duration_ms ?? null;
  const change = (call: ToolCall): ToolCall => ({ ...call, status, durationMs, ...outcome });
  return { ...turn, parts: changeCall(turn.parts, message.tool_call_id ?? "", change), status: "done" };
}

/** A tool that failed is told to the model, and stored, as `{"error": {...}}` and nothing else. */
function failureIn(result: unknown): unknown {
  if (typeof result !== "object" || result === null || Object.keys(result).length !== 1) return undefined;
  return "error" in result ? result.error : undefined;
}

/** A tool call in OpenAI's shape (`function.arguments` is text) or in our own event's shape. */
function storedCall(raw: unknown): ToolCall {
  const {
    id = "",
    function: fn,
    ...own
  } = raw as Record<string, unknown> & { function?: Record<string, unknown> };
  const { name = "tool", arguments: args } = (fn ?? own) as { name?: string; arguments?: unknown };
  return { ...callOf({ id: String(id), name, arguments: parsed(args) }), status: "done" };
}

function parsed(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

export function addUsage(a: TokenUsage | null, b: TokenUsage | null | undefined): TokenUsage | null {
  if (!a || !b) return a ?? b ?? null;
  return {
    prompt_tokens: a.prompt_tokens + b.prompt_tokens,
    completion_tokens: a.completion_tokens + b.completion_tokens,
    total_tokens: a.total_tokens + b.total_tokens,
  };
}

export function addCost(a: number | null, b: number | null | undefined): number | null {
  return typeof a === "number" && typeof b === "number" ? a + b : (a ?? b ?? null);
}

/** What this page has measured itself, and the server does not store: how long each tool took. */
export function withMeasured(turns: readonly Turn[], before: readonly Turn[]): readonly Turn[] {
  const took = new Map<string, number>();
  for (const [key, call] of callsOf(before)) if (call.durationMs !== null) took.set(key, call.durationMs);
  return turns.map((turn) =>
    turn.role === "user" ? turn : { ...turn, parts: turn.parts.map(timed(turn.id, took)) },
  );
}

const timed =
  (turnId: string, took: ReadonlyMap<string, number>) =>
  (part: Part, index: number): Part => {
    if (part.kind !== "tool" || part.call.durationMs !== null) return part;
    return { ...part, call: { ...part.call, durationMs: took.get(`${turnId}/${index}`) ?? null } };
  };

function callsOf(turns: readonly Turn[]): [string, ToolCall][] {
  return turns.flatMap((turn) => {
    if (turn.role === "user") return [];
    return turn.parts.flatMap((part, index): [string, ToolCall][] =>
      part.kind === "tool" ? [[`${turn.id}/${index}`, part.call]] : [],
    );
  });
}

function problemOf(error: unknown): Problem {
  if (typeof error === "string")
    return { code: "error", title: "The answer failed", detail: error, status: 500 };
  return { code: "error", title: "The answer failed", status: 500, ...(error as Partial<Problem>) };
}
