/** One conversation on the page: its turns, and the answer that is being streamed into it. No React here. */
import { ApiError } from "@/api/http";
import type { ChatRequest, ChatStreamEvent, ConversationDetail, Problem } from "@/api/types";
import { callSafely } from "@/plugins/emitter";
import type { ChatEventName, ChatEvents, Undo } from "@/plugins/types";
import {
  type AssistantTurn,
  appendText,
  callOf,
  changeCall,
  emptyAnswer,
  type Part,
  replaceText,
  type Turn,
  turnsOf,
} from "./turns";

export interface SessionState {
  /** `null` until the first answer of a new conversation begins. */
  readonly id: string | null;
  readonly title: string;
  readonly turns: readonly Turn[];
  readonly status: "idle" | "answering";
}

export interface SessionServices {
  chat(request: ChatRequest, signal: AbortSignal): AsyncIterable<ChatStreamEvent>;
  /** The events of an answer under way that came after `lastEventId`; without it, all. */
  resume(
    conversationId: string,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): AsyncIterable<ChatStreamEvent>;
  /** Asks the server to end the answer; leaving the stream alone would let it go on. */
  cancel(conversationId: string): Promise<unknown>;
  read(conversationId: string): Promise<ConversationDetail>;
  pause(ms: number): Promise<void>;
  /** Tells UI plugins, if this is the conversation on the page. */
  emit<E extends ChatEventName>(event: E, payload: ChatEvents[E], session: ChatSession): void;
  /** When listeners are called: at most once per frame in a browser. */
  schedule(work: () => void): void;
  onStarted?(session: ChatSession): void;
  onEnded?(session: ChatSession): void;
}

let sessions = 0;

export class ChatSession {
  #state: SessionState;
  #abort: AbortController | undefined;
  /** Where a broken stream is taken up again. */
  #lastEventId: string | undefined;
  #ended = false;
  #scheduled = false;
  readonly #listeners = new Set<(state: SessionState) => void>();
  readonly #services: SessionServices;
  #serial = 0;
  /** The same for as long as the session lives, unlike its id. */
  readonly key = `session-${++sessions}`;

  constructor(services: SessionServices, stored?: ConversationDetail) {
    this.#services = services;
    this.#state = {
      id: stored?.id ?? null,
      title: stored?.title ?? "New chat",
      turns: stored ? turnsOf(stored.messages) : [],
      status: "idle",
    };
  }

  get = (): SessionState => this.#state;

  subscribe = (listener: (state: SessionState) => void): Undo => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  rename(title: string): void {
    this.#set({ title });
  }

  /** Ends when the answer has ended, however it ended; failures are part of the state. */
  async send(text: string, model: string): Promise<void> {
    if (this.#state.status === "answering") return;
    const user: Turn = { role: "user", id: this.#localId(), text };
    const title = this.#state.turns.length === 0 && !this.#state.id ? shortTitle(text) : this.#state.title;
    const turns = [...this.#state.turns, user, emptyAnswer(this.#localId(), model)];
    this.#set({ turns, title, status: "answering" });
    await this.#answer(text, model);
  }

  /** Asks the last question again. One that never reached the server is replaced, not repeated. */
  async retry(model: string): Promise<void> {
    const { turns, status } = this.#state;
    const index = turns.findLastIndex((turn) => turn.role === "user");
    const question = turns[index];
    if (status === "answering" || question?.role !== "user") return;
    if (isLocal(question.id)) this.#set({ turns: turns.slice(0, index) });
    await this.send(question.text, model);
  }

  /** What has come so far stays. */
  stop(): void {
    const abort = this.#abort;
    const { id } = this.#state;
    if (!abort || !id || !this.#lastEventId) {
      abort?.abort();
      return;
    }
    // The server ends the stream itself, with the counts; one that does not is left.
    const cancelled = this.#services.cancel(id).then(() => this.#services.pause(STOP_GRACE_MS));
    void cancelled.catch(() => undefined).then(() => abort.abort());
  }

  /** Leaves an answer to itself: it goes on at the server, but not here. */
  leave(): void {
    this.#abort?.abort();
  }

  /** Follows an answer that was under way when the conversation was read, as after a reload of the page. */
  async follow(): Promise<void> {
    const { id, status, turns } = this.#state;
    const last = turns.at(-1);
    if (!id || status === "answering" || last?.role !== "assistant" || last.status !== "waiting") return;
    this.#set({ status: "answering" });
    this.#change({ parts: [] });
    await this.#run((signal) => this.#services.resume(id, undefined, signal));
    if (!this.#lastEventId) await this.#reread(id);
  }

  /** It had ended before it could be followed. */
  async #reread(id: string): Promise<void> {
    const stored = await this.#services.read(id).catch(() => undefined);
    if (stored && this.#state.status === "idle")
      this.#set({ turns: turnsOf(stored.messages), title: stored.title });
  }

  async #answer(text: string, model: string): Promise<void> {
    const { id } = this.#state;
    const request = { model, message: text, ...(id && { conversation_id: id }) };
    await this.#run((signal) => this.#services.chat(request, signal));
  }

  async #run(open: Open): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    this.#lastEventId = undefined;
    this.#ended = false;
    try {
      await this.#listen(open, abort.signal);
      this.#finish(abort.signal.aborted ? { status: "stopped" } : {});
    } catch (error) {
      this.#finish(abort.signal.aborted ? { status: "stopped" } : failure(error));
    } finally {
      this.#abort = undefined;
      this.#services.onEnded?.(this);
    }
  }

  /** Hears the answer to its end; where the connection breaks it is taken up again, a bounded number of times. */
  async #listen(open: Open, signal: AbortSignal): Promise<void> {
    let next = open;
    for (const wait of [...RESUME_WAITS_MS, null]) {
      const error = await this.#hear(next, signal);
      const over = this.#ended || signal.aborted || !this.#lastEventId || wait === null;
      if (over && error) throw error;
      if (over) return;
      await this.#services.pause(wait);
      next = (again) => this.#services.resume(this.#state.id ?? "", this.#lastEventId, again);
    }
  }

  /** What broke the stream, if something did. */
  async #hear(open: Open, signal: AbortSignal): Promise<unknown> {
    try {
      for await (const event of open(signal)) this.#take(event);
      return undefined;
    } catch (error) {
      if (this.#ended || (error instanceof ApiError && !mayPass(error))) throw error;
      return error;
    }
  }

  #take(event: ChatStreamEvent): void {
    this.#lastEventId = event.id ?? this.#lastEventId;
    this.#ended ||= event.event === "message.end" || event.event === "error";
    this.#apply(event);
    this.#services.emit(event.event, event.data as never, this);
  }

  #apply({ event, data }: ChatStreamEvent): void {
    if (event === "message.start") this.#start(data);
    else if (event === "delta") this.#parts((parts) => appendText(parts, "text", data.content));
    else if (event === "reasoning") this.#parts((parts) => appendText(parts, "reasoning", data.content));
    else if (event === "tool.call") this.#parts((parts) => [...parts, { kind: "tool", call: callOf(data) }]);
    else if (event === "tool.progress") this.#progress(data);
    else if (event === "tool.result") this.#result(data);
    else if (event === "message.end") this.#end(data);
    else if (event === "error")
      this.#change({ status: "failed", error: { ...data, status: data.status ?? 500 } });
  }

  #start({ conversation_id, message_id, user_message_id, model }: ChatEvents["message.start"]): void {
    const turns = this.#state.turns.map((turn, index, { length }) =>
      user_message_id && turn.role === "user" && index === length - 2
        ? { ...turn, id: user_message_id }
        : turn,
    );
    this.#set({ id: conversation_id, turns });
    this.#change({ id: message_id, model, status: "streaming" });
    this.#services.onStarted?.(this);
  }

  #progress({ id, fraction, message }: ChatEvents["tool.progress"]): void {
    const progress = { fraction: fraction ?? null, message: message ?? "" };
    this.#parts((parts) => changeCall(parts, id, (call) => ({ ...call, progress })));
  }

  #result({ id, result, error }: ChatEvents["tool.result"]): void {
    const outcome = error ? ({ status: "failed", error } as const) : ({ status: "done", result } as const);
    this.#parts((parts) => changeCall(parts, id, (call) => ({ ...call, ...outcome })));
  }

  #end({ usage, duration_ms, finish_reason, content }: ChatEvents["message.end"]): void {
    if (typeof content === "string") this.#parts((parts) => replaceText(parts, content));
    this.#change({
      status: finish_reason === "cancelled" ? "stopped" : "done",
      usage: usage ?? null,
      durationMs: duration_ms ?? null,
      finishReason: finish_reason ?? null,
    });
  }

  /** A stream that just ends, without `message.end` or `error`, was cut: that is a failure too. */
  #finish(change: Partial<AssistantTurn>): void {
    const last = this.#state.turns.at(-1);
    const open = last?.role === "assistant" && (last.status === "waiting" || last.status === "streaming");
    if (open) this.#change({ ...CUT, ...(change.status === "stopped" ? { error: null } : {}), ...change });
    this.#parts((parts) => parts.map(giveUp));
    this.#set({ status: "idle" });
  }

  #parts(change: (parts: readonly Part[]) => readonly Part[]): void {
    const last = this.#state.turns.at(-1);
    if (last?.role !== "assistant") return;
    const status = last.status === "waiting" ? "streaming" : last.status;
    this.#change({ parts: change(last.parts), status });
  }

  #change(change: Partial<AssistantTurn>): void {
    const last = this.#state.turns.at(-1);
    if (last?.role === "assistant")
      this.#set({ turns: [...this.#state.turns.slice(0, -1), { ...last, ...change }] });
  }

  #set(change: Partial<SessionState>): void {
    this.#state = { ...this.#state, ...change };
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#services.schedule(() => {
      this.#scheduled = false;
      for (const listener of [...this.#listeners])
        callSafely(() => listener(this.#state), "A chat listener failed");
    });
  }

  #localId(): string {
    return `local-${++this.#serial}`;
  }
}

type Open = (signal: AbortSignal) => AsyncIterable<ChatStreamEvent>;

const RESUME_WAITS_MS = [250, 1_000, 2_000, 4_000, 8_000];
const STOP_GRACE_MS = 3_000;

/** The server is away for a moment; any other refusal is final. */
function mayPass(error: ApiError): boolean {
  return error.status === 0 || error.status >= 500;
}

const CUT = {
  status: "failed",
  error: {
    code: "stream_cut",
    title: "The answer broke off",
    detail: "The connection to the studio ended before the answer did.",
    status: 0,
  },
} as const;

function giveUp(part: Part): Part {
  if (part.kind !== "tool" || part.call.status !== "running") return part;
  return { ...part, call: { ...part.call, status: "failed", error: "It did not finish." } };
}

function failure(error: unknown): Partial<AssistantTurn> {
  if (error instanceof ApiError) return { status: "failed", error: error.problem };
  const problem: Problem = { ...CUT.error, ...(error instanceof SyntaxError && { detail: error.message }) };
  return { status: "failed", error: problem };
}

function isLocal(id: string): boolean {
  return id.startsWith("local-");
}

function shortTitle(text: string): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > 60 ? `${line.slice(0, 57)}…` : line;
}
