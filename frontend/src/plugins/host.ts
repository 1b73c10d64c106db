import { Emitter, Value } from "./emitter";
import type {
  ChatEventName,
  ChatEvents,
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
};

type ChatListeners = { [E in ChatEventName]: (payload: ChatEvents[E]) => unknown };

/** The studio's side of every plugin's context: the page writes here, plugins read. */
export class HostServices {
  readonly chat = new Emitter<ChatListeners>();
  readonly conversation = new Value<ConversationInfo>(NO_CONVERSATION);
  readonly theme = new Value<Theme>("light");
  readonly composer = new Emitter<{ insert: (text: string) => unknown }>();

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
    theme: tracked(host.theme, track),
    composer: { insert: (text) => host.composer.emit("insert", text) },
  };
  return { context, release: () => undos.forEach((undo) => void undo()) };
}

function tracked<T>(value: Value<T>, track: (undo: Undo) => Undo) {
  return { get: value.get, subscribe: (listener: (value: T) => void) => track(value.subscribe(listener)) };
}
