/**
 * What a UI plugin is and what the studio gives it. The public types of the UI plugin SDK: everything here
 * can be imported from `@/plugins/pluginSystem`.
 */

export const PluginType = {
  PROVIDER: "provider",
  TOOL: "tool",
  MIDDLEWARE: "middleware",
  EXPORT: "export",
  UI: "ui",
} as const;
export type PluginType = (typeof PluginType)[keyof typeof PluginType];

export interface UIPluginMetadata {
  /** `^[a-z0-9]+(-[a-z0-9]+)*$`; without it the id is the class name in kebab case. */
  readonly id: string;
  readonly name?: string;
  readonly version?: string;
  readonly author?: string;
  readonly description?: string;
  readonly type?: PluginType;
}

export type PluginConfig = Readonly<Record<string, unknown>>;

/** Calling it takes back what returned it. Calling it twice is harmless. */
export type Undo = () => void;

/** A value that changes: read it now, or be told of each change. */
export interface Readable<T> {
  get(): T;
  subscribe(listener: (value: T) => void): Undo;
}

export interface TokenUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** The stream of one answer, as the chat API sends it. */
export interface ChatEvents {
  "message.start": {
    readonly conversation_id: string;
    readonly message_id: string;
    readonly user_message_id?: string | null;
    readonly model: string;
    readonly generation?: number | null;
  };
  delta: { readonly content: string };
  reasoning: { readonly content: string };
  "tool.call": {
    readonly id: string;
    readonly name: string;
    /** `null` when the model asked for a tool that does not exist. */
    readonly plugin_id?: string | null;
    readonly action?: string | null;
    readonly arguments: unknown;
  };
  "tool.progress": {
    readonly id: string;
    readonly fraction?: number | null;
    readonly message?: string | null;
  };
  "tool.result": {
    readonly id: string;
    readonly name?: string;
    readonly result?: unknown;
    readonly error?: unknown;
  };
  "message.end": {
    readonly message_id: string;
    readonly finish_reason?: string | null;
    readonly usage?: TokenUsage | null;
    readonly duration_ms?: number | null;
    /** The answer's text, when a middleware made it another than what was streamed. */
    readonly content?: string | null;
    /** In US dollars, where the model's prices are known. */
    readonly cost?: number | null;
    readonly first_token_ms?: number | null;
  };
  /** The answer waits until the person has said whether the tool may do this. */
  "tool.approval": {
    readonly id: string;
    readonly name: string;
    readonly plugin_id?: string | null;
    readonly action?: string | null;
    readonly arguments: unknown;
    readonly expires_at?: string | null;
  };
  "conversation.title": { readonly title: string };
  error: {
    readonly code: string;
    readonly title: string;
    readonly detail?: string;
    readonly status?: number;
    readonly retry_after?: number;
  };
}
export type ChatEventName = keyof ChatEvents;

export interface ConversationInfo {
  /** `null` while a new conversation has no answer yet. */
  readonly id: string | null;
  readonly title: string;
  readonly model: string | null;
  readonly messageCount: number;
  /** Tokens of the answers stored in it, as far as the provider counted them. */
  readonly usage: TokenUsage;
  /** In US dollars; `null` while no answer in it has a known price. */
  readonly cost: number | null;
}

/** A tool that an answer used. */
export interface ChatToolCall {
  readonly id: string;
  /** As the model called it: `<plugin id>__<action>`. */
  readonly name: string;
  readonly pluginId: string;
  readonly action: string;
  readonly arguments: unknown;
  /** `approval`: it waits for the person's consent. */
  readonly status: "approval" | "running" | "done" | "failed";
  readonly progress?: { readonly fraction: number | null; readonly message: string };
  readonly result?: unknown;
  readonly error?: unknown;
  /** `null` where nobody measured it. */
  readonly durationMs: number | null;
}

export interface ChatAttachment {
  readonly id: string;
  readonly name: string;
  readonly media_type: string;
  readonly size: number;
  readonly kind: "image" | "text" | "pdf";
}

/** What one of the two said: an answer with its tools is one message. */
export interface ChatMessage {
  readonly id: string;
  readonly role: "user" | "assistant";
  readonly text: string;
  readonly reasoning: string;
  readonly status: "waiting" | "streaming" | "done" | "stopped" | "failed";
  readonly model: string | null;
  readonly createdAt: string | null;
  readonly usage: TokenUsage | null;
  readonly cost: number | null;
  readonly durationMs: number | null;
  readonly firstTokenMs: number | null;
  readonly toolCalls: readonly ChatToolCall[];
  readonly attachments: readonly ChatAttachment[];
}

export type Theme = "light" | "dark";

/** What the studio gives one loaded UI plugin. Subscriptions made here end by themselves on unload. */
export interface UIPluginContext {
  readonly pluginId: string;
  readonly config: PluginConfig;
  readonly chat: {
    on<E extends ChatEventName>(event: E, listener: (payload: ChatEvents[E]) => void): Undo;
  };
  readonly conversation: Readable<ConversationInfo>;
  /**
   * What was said, on the branch that is shown. While an answer comes, the last one is renewed some times a second;
   * a message that has not changed is the same object.
   */
  readonly messages: Readable<readonly ChatMessage[]> & {
    /** Scrolls to a message and marks it for a moment. */
    reveal(messageId: string): void;
  };
  readonly theme: Readable<Theme>;
  /** The message being written. */
  readonly composer: {
    readonly text: Readable<string>;
    /** Puts text where the cursor is. */
    insert(text: string): void;
    /** Puts text in the place of all that is there. */
    replace(text: string): void;
  };
  /** Calls a method of this plugin's own Python half (declared with `@method()`), as the person at this page. */
  call(method: string, kwargs?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Kept in this browser, for this plugin alone. Values are JSON. What must follow the person goes through `call`. */
  readonly storage: {
    get(key: string): Promise<unknown>;
    set(key: string, value: unknown): Promise<void>;
    delete(key: string): Promise<void>;
  };
}

/** What a mounted component gets as its props. */
export interface UIPluginProps {
  readonly pluginId: string;
  readonly mountPoint: string;
  readonly config: PluginConfig;
  readonly context: UIPluginContext;
  /** What surrounds this place: `{ message }` at `message-actions`, `{ toolCall }` at `tool-result`. */
  readonly slot: Readonly<Record<string, unknown>>;
}

/** A React component, said without importing React: this file belongs to the core. */
export type UIComponent = ((props: UIPluginProps) => unknown) | (new (props: UIPluginProps) => object);

/** A UI plugin. Only the component and its place are needed. */
export interface IUIPlugin {
  readonly metadata?: UIPluginMetadata;
  /** `false` or a rejection means: not mounted, and `plugin:failed` is emitted. */
  initialize?(config: PluginConfig, context: UIPluginContext): unknown;
  shutdown?(): unknown;
  /** Called once for each mount point. */
  getComponent(mountPoint?: string): UIComponent;
  /** `"toolbar"`, `"toolbar/v1"`, or several of them. */
  getMountPoint(): string | readonly string[];
}

/**
 * The interface's run-time half. It exists so that `import { IUIPlugin }` is also right in plain JavaScript
 * and under `verbatimModuleSyntax`, and tells whether a value can be loaded.
 */
export const IUIPlugin = {
  is(value: unknown): value is IUIPlugin {
    return (
      typeof value === "object" && value !== null && "getComponent" in value && isFunction(value.getComponent)
    );
  },
} as const;

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

export const PLUGIN_EVENTS = [
  "plugin:discovered",
  "plugin:installed",
  "plugin:loading",
  "plugin:loaded",
  "plugin:reloaded",
  "plugin:unloaded",
  "plugin:failed",
  "plugin:config_changed",
  "plugin:crashed",
  "plugin:recovered",
] as const;
export type PluginEvent = (typeof PLUGIN_EVENTS)[number];

export interface PluginEventDetail {
  readonly pluginId: string;
  /** `page`: this page's own runtime; `server`: a lifecycle event of the studio's server. */
  readonly source: "page" | "server";
  readonly error?: unknown;
  readonly data?: Readonly<Record<string, unknown>>;
}

export type PluginHook = (pluginId: string, detail: PluginEventDetail) => unknown;
