import type { ConversationDetail } from "@/api/types";
import { Value } from "@/plugins/emitter";
import { ChatSession, type SessionServices } from "./session";

/** The conversations this page has open. An answer goes on while another conversation is looked at. */
export class Sessions {
  readonly #open = new Map<string, ChatSession>();
  readonly #services: SessionServices;
  /** The one the person is looking at. */
  readonly current = new Value<ChatSession | null>(null);
  readonly draft: Value<ChatSession>;

  constructor(services: Omit<SessionServices, "onStarted"> & { onStarted(session: ChatSession): void }) {
    this.#services = { ...services, onStarted: (session) => this.#started(session, services.onStarted) };
    this.draft = new Value(this.#fresh());
  }

  find(id: string): ChatSession | undefined {
    return this.#open.get(id);
  }

  /** Takes in a stored conversation; one that is open already wins, since it may be answering. */
  adopt(stored: ConversationDetail): ChatSession {
    const session = this.#open.get(stored.id) ?? new ChatSession(this.#services, stored);
    this.#open.set(stored.id, session);
    return session;
  }

  forget(id: string): void {
    this.#open.get(id)?.leave();
    this.#open.delete(id);
  }

  /** Drops everything, when the person signs out. */
  clear(): void {
    for (const id of [...this.#open.keys()]) this.forget(id);
    this.draft.set(this.#fresh());
  }

  #fresh(): ChatSession {
    return new ChatSession(this.#services);
  }

  #started(session: ChatSession, tell: (session: ChatSession) => void): void {
    const { id } = session.get();
    if (!id) return;
    const isNew = !this.#open.has(id);
    this.#open.set(id, session);
    tell(session);
    if (isNew && this.draft.get() === session) this.draft.set(this.#fresh());
  }
}
