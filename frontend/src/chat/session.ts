/** One conversation on the page: its turns, and the answer that is being streamed into it. No React here. */
import { ApiError } from "@/api/http";
import type {
  ApprovalDecision,
  ChatRequest,
  ChatStreamEvent,
  ConversationDetail,
  ConversationSettings,
} from "@/api/types";
import { callSafely } from "@/plugins/emitter";
import type { ChatAttachment, ChatEventName, ChatEvents, Undo } from "@/plugins/types";
import { applied, givenUp } from "./applying";
import { CUT, failure, mayPass, RESUME_WAITS_MS, STOP_GRACE_MS, TITLE_WAITS_MS } from "./patience";
import {
  type AssistantTurn,
  emptyAnswer,
  question,
  type Turn,
  turnsOf,
  type UserTurn,
  withMeasured,
} from "./turns";

export interface SessionState {
  /** `null` until the first answer of a new conversation begins. */
  readonly id: string | null;
  readonly title: string;
  readonly turns: readonly Turn[];
  readonly status: "idle" | "answering";
  readonly settings: ConversationSettings;
  readonly archived: boolean;
  /** The one this conversation was last asked with. */
  readonly model: string | null;
}

export type Regenerate = { readonly message_id: string; readonly model?: string };

export interface SessionServices {
  /** Asks in a new conversation, or at the end of the one the request names, or under its `parent_id`. */
  chat(request: ChatRequest, signal: AbortSignal): AsyncIterable<ChatStreamEvent>;
  regenerate(conversationId: string, body: Regenerate, signal: AbortSignal): AsyncIterable<ChatStreamEvent>;
  /** The events of an answer under way that came after `lastEventId`; without it, all. */
  resume(
    conversationId: string,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): AsyncIterable<ChatStreamEvent>;
  /** Asks the server to end the answer; leaving the stream alone would let it go on. */
  cancel(conversationId: string): Promise<unknown>;
  read(conversationId: string): Promise<ConversationDetail>;
  branch(conversationId: string, messageId: string): Promise<unknown>;
  approve(conversationId: string, callId: string, decision: ApprovalDecision): Promise<unknown>;
  pause(ms: number): Promise<void>;
  /** Tells UI plugins, if this is the conversation on the page. */
  emit<E extends ChatEventName>(event: E, payload: ChatEvents[E], session: ChatSession): void;
  /** When listeners are called: at most once per frame in a browser. */
  schedule(work: () => void): void;
  onStarted?(session: ChatSession): void;
  onEnded?(session: ChatSession): void;
  onTitled?(session: ChatSession): void;
}

let sessions = 0;

export const NO_SETTINGS: ConversationSettings = { system_prompt: "", params: {} };

export function hasSettings({ system_prompt, params }: ConversationSettings): boolean {
  return system_prompt !== "" || Object.keys(params).length > 0;
}

export class ChatSession {
  #state: SessionState;
  #abort: AbortController | undefined;
  /** Where a broken stream is taken up again. */
  #lastEventId: string | undefined;
  #ended = false;
  #left = false;
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
      settings: stored ? settingsOf(stored) : NO_SETTINGS,
      archived: stored?.archived ?? false,
      model: stored?.model || null,
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

  /** What was changed at the server, or will be sent with the first message of a new conversation. */
  take(change: Partial<Pick<SessionState, "settings" | "archived" | "model">>): void {
    this.#set(change);
  }

  /** Ends when the answer has ended, however it ended; failures are part of the state. */
  async send(text: string, model: string, attachments: readonly ChatAttachment[] = []): Promise<void> {
    if (this.#state.status === "answering") return;
    const isNew = this.#state.turns.length === 0 && !this.#state.id;
    if (isNew) this.#set({ title: shortTitle(text) });
    await this.#ask(this.#state.turns, question(this.#localId(), text, attachments), model);
  }

  /** Asks something else in the place of `turn`: a new branch beside it. */
  async edit(turn: UserTurn, text: string, model: string): Promise<void> {
    const { turns, status } = this.#state;
    if (status === "answering" || turn.parentId === undefined) return;
    const id = this.#localId();
    const asked = question(id, text, turn.attachments, turn.parentId);
    const before = turns.slice(0, turns.indexOf(turn));
    await this.#ask(before, { ...asked, siblings: [...turn.siblings, id] }, model);
  }

  /** Another answer beside `turn`. Where the question never reached the server, it is asked again instead. */
  async regenerate(turn: AssistantTurn, model: string): Promise<void> {
    const { id, turns, status } = this.#state;
    const at = turns.indexOf(turn);
    const asked = turns[at - 1];
    if (status === "answering" || asked?.role !== "user") return;
    if (!id || isLocal(asked.id) || isLocal(turn.id))
      return this.#askAgain(turns.slice(0, at - 1), asked, model);
    const place = this.#localId();
    const answer = {
      ...emptyAnswer(place, model),
      parentId: turn.parentId,
      siblings: [...turn.siblings, place],
    };
    this.#set({ turns: [...turns.slice(0, at), answer], status: "answering" });
    const body = { message_id: turn.placeId, model };
    await this.#run((signal) => this.#services.regenerate(id, body, signal));
  }

  /** Shows the branch through another message. */
  async show(messageId: string): Promise<void> {
    const { id, status } = this.#state;
    if (!id || status === "answering") return;
    await this.#services.branch(id, messageId);
    this.#restore(await this.#services.read(id));
  }

  async approve(callId: string, decision: ApprovalDecision): Promise<void> {
    if (this.#state.id) await this.#services.approve(this.#state.id, callId, decision);
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
    this.#left = true;
    this.#abort?.abort();
  }

  /** Follows an answer that was under way when the conversation was read, as after a reload of the page. */
  async follow(): Promise<void> {
    const { id, status, turns } = this.#state;
    const last = turns.at(-1);
    if (!id || status === "answering" || last?.role !== "assistant" || last.status !== "waiting") return;
    this.#set({ status: "answering" });
    this.#change((turn) => ({ ...turn, parts: [] }));
    await this.#run((signal) => this.#services.resume(id, undefined, signal));
    if (!this.#lastEventId) await this.refresh();
  }

  /** Reads the conversation anew: it ended before it could be followed, or was changed elsewhere. */
  async refresh(): Promise<void> {
    const { id } = this.#state;
    if (!id) return;
    const stored = await this.#services.read(id).catch(() => undefined);
    if (stored) this.#restore(stored);
  }

  #restore(stored: ConversationDetail): void {
    if (this.#state.status !== "idle") return;
    const { title, archived = false } = stored;
    const turns = withMeasured(turnsOf(stored.messages), this.#state.turns);
    this.#set({ turns, title, archived, settings: settingsOf(stored) });
  }

  async #ask(before: readonly Turn[], asked: UserTurn, model: string): Promise<void> {
    const { id, settings } = this.#state;
    this.#set({ turns: [...before, asked, emptyAnswer(this.#localId(), model)], status: "answering", model });
    const request: ChatRequest = {
      model,
      message: asked.text,
      ...(id ? { conversation_id: id } : hasSettings(settings) && { settings }),
      ...(asked.parentId !== undefined && { parent_id: asked.parentId }),
      ...(asked.attachments.length > 0 && { attachments: asked.attachments.map((file) => file.id) }),
    };
    await this.#run((signal) => this.#services.chat(request, signal));
  }

  /** One that never reached the server is replaced; one that did is asked a second time. */
  #askAgain(before: readonly Turn[], asked: UserTurn, model: string): Promise<void> {
    const kept = isLocal(asked.id) ? before : this.#state.turns;
    return this.#ask(kept, { ...asked, id: this.#localId(), siblings: [] }, model);
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
    if (this.#ended && !this.#left) void this.#settle();
  }

  /** What the stream does not tell: what lies beside the new messages, and what they cost. Then, the title. */
  async #settle(): Promise<void> {
    await this.refresh();
    const { title, turns } = this.#state;
    if (turns.length > 2) return;
    for (const wait of TITLE_WAITS_MS) {
      if (this.#left || this.#state.title !== title || this.#state.status !== "idle") break;
      await this.#services.pause(wait);
      const stored = await this.#services.read(this.#state.id ?? "").catch(() => undefined);
      if (!stored) return;
      if (stored.title !== this.#state.title) this.#set({ title: stored.title });
    }
    this.#services.onTitled?.(this);
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
    if (event.event === "message.start") this.#start(event.data);
    if (event.event === "conversation.title") this.#set({ title: event.data.title });
    this.#change((turn) => applied(turn, event));
    if (event.event === "message.start") this.#services.onStarted?.(this);
    this.#services.emit(event.event, event.data as never, this);
  }

  #start({ conversation_id, user_message_id }: ChatEvents["message.start"]): void {
    const turns = this.#state.turns.map((turn, index, { length }) =>
      user_message_id && turn.role === "user" && index === length - 2
        ? { ...turn, id: user_message_id }
        : turn,
    );
    this.#set({ id: conversation_id, turns });
  }

  /** A stream that just ends, without `message.end` or `error`, was cut: that is a failure too. */
  #finish(change: Partial<AssistantTurn>): void {
    this.#change((turn) => {
      const open = turn.status === "waiting" || turn.status === "streaming";
      const outcome = open && { ...CUT, ...(change.status === "stopped" && { error: null }), ...change };
      return { ...turn, ...outcome, parts: givenUp(turn.parts) };
    });
    this.#set({ status: "idle" });
  }

  #change(change: (turn: AssistantTurn) => AssistantTurn): void {
    const last = this.#state.turns.at(-1);
    if (last?.role === "assistant") this.#set({ turns: [...this.#state.turns.slice(0, -1), change(last)] });
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

function settingsOf({ system_prompt, params }: ConversationDetail): ConversationSettings {
  return { system_prompt: system_prompt ?? "", params: params ?? {} };
}

function isLocal(id: string): boolean {
  return id.startsWith("local-");
}

function shortTitle(text: string): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > 60 ? `${line.slice(0, 57)}…` : line || "New chat";
}
