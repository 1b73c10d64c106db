import { Emitter, Value } from "./emitter";
import { UIPluginError } from "./errors";
import type {
  ChatEventName,
  ChatEvents,
  ChatMessage,
  ConversationInfo,
  PluginConfig,
  Theme,
  UIPluginContext,
  Undo,
} from "./types";

export const NO_CONVERSATION: ConversationInfo = {
  id: null,
  title: "New chat",
  model: null,
  messageCount: 0,
  usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
  cost: null,
};

const NO_MESSAGES: readonly ChatMessage[] = [];

/** What a plugin can ask of the world outside its page. */
export interface HostBackend {
  call(pluginId: string, method: string, kwargs: Readonly<Record<string, unknown>>): Promise<unknown>;
  read(pluginId: string, key: string): Promise<unknown>;
  /** `undefined` takes the key away. */
  write(pluginId: string, key: string, value: unknown): Promise<void>;
}

const NOWHERE: HostBackend = {
  call: (pluginId) => Promise.reject(new UIPluginError("This page has no server.", { pluginId })),
  read: async (pluginId, key) => JSON.parse(localStorage.getItem(storageKey(pluginId, key)) ?? "null"),
  write: async (pluginId, key, value) => {
    if (value === undefined) localStorage.removeItem(storageKey(pluginId, key));
    else localStorage.setItem(storageKey(pluginId, key), JSON.stringify(value));
  },
};

function storageKey(pluginId: string, key: string): string {
  return `studio-plugin:${pluginId}:${key}`;
}

type ChatListeners = { [E in ChatEventName]: (payload: ChatEvents[E]) => unknown };

/** The studio's side of every plugin's context: the page writes here, plugins read. */
export class HostServices {
  readonly chat = new Emitter<ChatListeners>();
  readonly conversation = new Value<ConversationInfo>(NO_CONVERSATION);
  readonly theme = new Value<Theme>("light");
  readonly messages = new Value<readonly ChatMessage[]>(NO_MESSAGES);
  /** The text of the message being written; the composer writes here, plugins read. */
  readonly draft = new Value("");
  readonly composer = new Emitter<{
    insert: (text: string) => unknown;
    replace: (text: string) => unknown;
  }>();
  readonly transcript = new Emitter<{ reveal: (messageId: string) => unknown }>();
  #backend = NOWHERE;

  /** For the page, which knows the server; without one there is only this browser's storage. */
  use(backend: Partial<HostBackend>): void {
    this.#backend = { ...this.#backend, ...backend };
  }

  get backend(): HostBackend {
    return this.#backend;
  }

  tellChat<E extends ChatEventName>(event: E, payload: ChatEvents[E]): void {
    this.chat.emit(event, ...([payload] as Parameters<ChatListeners[E]>));
  }
}

export interface ContextLease {
  readonly context: UIPluginContext;
  /** Ends every subscription the plugin made through its context and has not ended itself. */
  readonly release: Undo;
}

/** A context whose subscriptions are counted, so that a plugin cannot leave listeners behind. */
export function leaseContext(host: HostServices, pluginId: string, config: PluginConfig): ContextLease {
  const undos = new Set<Undo>();
  const track = (undo: Undo): Undo => {
    undos.add(undo);
    return () => {
      undos.delete(undo);
      undo();
    };
  };
  const context: UIPluginContext = {
    pluginId,
    config,
    chat: { on: (event, listener) => track(host.chat.on(event, listener as never)) },
    conversation: tracked(host.conversation, track),
    messages: {
      ...tracked(host.messages, track),
      reveal: (messageId) => host.transcript.emit("reveal", messageId),
    },
    theme: tracked(host.theme, track),
    composer: {
      text: tracked(host.draft, track),
      insert: (text) => host.composer.emit("insert", text),
      replace: (text) => host.composer.emit("replace", text),
    },
    call: (method, kwargs = {}) => host.backend.call(pluginId, method, kwargs),
    storage: {
      get: async (key) => (await host.backend.read(pluginId, key)) ?? undefined,
      set: (key, value) => host.backend.write(pluginId, key, value),
      delete: (key) => host.backend.write(pluginId, key, undefined),
    },
  };
  return { context, release: () => undos.forEach((undo) => void undo()) };
}

function tracked<T>(value: Value<T>, track: (undo: Undo) => Undo) {
  return { get: value.get, subscribe: (listener: (value: T) => void) => track(value.subscribe(listener)) };
}
