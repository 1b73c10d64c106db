/** The conversation on the page, as UI plugins see it. */
import { useEffect, useMemo } from "react";
import { sessions } from "@/app/wiring";
import { NO_CONVERSATION } from "@/plugins/host";
import { pluginManager } from "@/plugins/instance";
import type { ChatMessage, ConversationInfo } from "@/plugins/types";
import type { ChatSession, SessionState } from "./session";
import { type AssistantTurn, addCost, addUsage, type Part, type Turn, textOf } from "./turns";

/** Words come many times a second; that often nobody has to look through a whole conversation. */
const RENEW_MS = 200;

/** Tells UI plugins, and the window's title, which conversation the person is looking at. */
export function usePublished(session: ChatSession, state: SessionState, model: string | null): void {
  const { id, title, turns } = state;
  const sums = useMemo(() => sumsOf(turns), [turns]);
  const messageCount = turns.length;
  const { prompt_tokens, completion_tokens, total_tokens } = sums.usage;
  useEffect(() => {
    sessions.current.set(session);
    document.title = `${title} · AI Chat Studio`;
    const usage = { prompt_tokens, completion_tokens, total_tokens };
    pluginManager.host.conversation.set({ id, title, model, messageCount, usage, cost: sums.cost });
  }, [session, id, title, model, messageCount, prompt_tokens, completion_tokens, total_tokens, sums.cost]);
  useEffect(() => publishMessages(session), [session]);
}

function sumsOf(turns: readonly Turn[]): Pick<ConversationInfo, "usage" | "cost"> {
  const answers = turns.filter((turn): turn is AssistantTurn => turn.role === "assistant");
  return {
    usage: answers.reduce((sum, { usage }) => addUsage(sum, usage) ?? sum, NO_CONVERSATION.usage),
    cost: answers.reduce<number | null>((sum, { cost }) => addCost(sum, cost), null),
  };
}

function publishMessages(session: ChatSession): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const publish = () => {
    clearTimeout(timer);
    timer = undefined;
    pluginManager.host.messages.set(session.get().turns.map(messageOf));
  };
  publish();
  const undo = session.subscribe(({ status }) => {
    if (status === "idle") publish();
    else timer ??= setTimeout(publish, RENEW_MS);
  });
  return () => {
    undo();
    clearTimeout(timer);
  };
}

const known = new WeakMap<Turn, ChatMessage>();

/** The same object as long as the turn is the same. */
export function messageOf(turn: Turn): ChatMessage {
  const found = known.get(turn) ?? made(turn);
  known.set(turn, found);
  return found;
}

function made(turn: Turn): ChatMessage {
  const { id, role, createdAt } = turn;
  const said = { id, role, createdAt, text: textOf(turn) };
  if (turn.role === "user") return { ...NOTHING, ...said, attachments: turn.attachments };
  const { status, model, usage, cost, durationMs, firstTokenMs, parts } = turn;
  const toolCalls = parts.flatMap((part) => (part.kind === "tool" ? [part.call] : []));
  const reasoning = parts.map(thought).filter(Boolean).join("\n\n");
  return { ...NOTHING, ...said, status, model, usage, cost, durationMs, firstTokenMs, toolCalls, reasoning };
}

const thought = (part: Part) => (part.kind === "reasoning" ? part.text : "");

const NOTHING = {
  reasoning: "",
  status: "done",
  model: null,
  usage: null,
  cost: null,
  durationMs: null,
  firstTokenMs: null,
  toolCalls: [],
  attachments: [],
} as const satisfies Partial<ChatMessage>;
