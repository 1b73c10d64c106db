/**
 * The shapes of the studio's HTTP interface, as far as the page uses them. Most come from its OpenAPI document
 * (`npm run client` writes schema.d.ts); the events of an answer are public to UI plugins and so are in plugins/types.
 */
import type { ChatAttachment, ChatEvents, TokenUsage } from "@/plugins/types";
import type { components } from "./schema";
import type { Reason } from "./shapes";

type Schemas = components["schemas"];

export type Person = Schemas["Me"];

export interface Page<T> {
  readonly count: number;
  readonly next: string | null;
  readonly previous: string | null;
  readonly results: readonly T[];
}

export type Problem = Omit<Schemas["Problem"], "type" | "detail"> & {
  readonly type?: string;
  readonly detail?: string;
  /** A 409 of unload names who is in the way. */
  readonly dependents?: readonly string[];
  /** A circle of plugins, or the way to the one that is missing. */
  readonly path?: readonly string[];
  readonly explanation?: readonly Reason[];
  /** When a limit that ended an answer ends itself. */
  readonly retry_at?: string;
};

export type FieldError = Schemas["FieldError"];

export type PluginState = Schemas["Plugin"]["state"];
export type PluginFault = Schemas["PluginError"];

export type ConfigValues = Readonly<Record<string, unknown>>;

export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly writeOnly?: boolean;
  readonly secret?: boolean;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly examples?: readonly unknown[];
}

/** Its `config` is for the page: without secrets, and for people who may not see the plugin's own. */
export type PluginUI = Schemas["UI"];

/** A plugin on one node. */
export type PluginNode = Schemas["Node"];

export type Plugin = Omit<Schemas["Plugin"], "config" | "config_schema"> & {
  /** Only for operators; secrets are masked. */
  readonly config?: ConfigValues;
  readonly config_schema?: JsonSchema;
};

/** After a swap: what served before, if anything did, and what does now. */
export type Reloaded = Plugin &
  Pick<Schemas["Swapped"], "new" | "changes"> & {
    readonly old: Partial<Schemas["Generation"]> | null;
  };

export type Model = Schemas["ChatModel"];

/** What is told to the model beside what was said. */
export interface ConversationSettings {
  readonly system_prompt: string;
  readonly params: ChatParams;
}

export interface ChatParams {
  readonly temperature?: number;
  readonly top_p?: number;
  readonly max_tokens?: number;
  readonly seed?: number;
  readonly [name: string]: unknown;
}

/** Words of a message around what was looked for. */
export interface SearchMatch {
  readonly message_id: string;
  readonly role: string;
  readonly excerpt: readonly { readonly text: string; readonly hit: boolean }[];
}

export interface Conversation extends Partial<ConversationSettings> {
  readonly id: string;
  readonly title: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly pinned?: boolean;
  readonly archived?: boolean;
  readonly model?: string;
  readonly message_count?: number;
  /** Only in the answer to a search. */
  readonly matches?: readonly SearchMatch[];
  /** Only in the list of deleted ones. */
  readonly deleted_at?: string;
}

export type ConversationChange = Partial<
  Pick<Conversation, "title" | "pinned" | "archived" | "system_prompt" | "params" | "model">
>;

export interface ImportReport {
  readonly format: string;
  readonly imported: number;
  /** They had been imported before. */
  readonly skipped: number;
  readonly conversations: readonly { readonly id: string; readonly title: string }[];
  readonly problems: readonly { readonly title: string; readonly detail: string }[];
}

export interface ApprovalDecision {
  readonly approve: boolean;
  /** Not to be asked again for this tool. */
  readonly remember?: boolean;
}

export interface StoredMessage {
  readonly id: string;
  readonly parent_id?: string | null;
  /** The ids of all messages at this place, in their order, itself among them. */
  readonly siblings?: readonly string[];
  readonly role: "user" | "assistant" | "system" | "tool";
  readonly attachments?: readonly ChatAttachment[];
  /** Text, or OpenAI's list of parts. */
  readonly content: string | readonly { readonly type: string; readonly text?: string }[] | null;
  readonly reasoning?: string | null;
  readonly tool_calls?: readonly unknown[] | null;
  readonly tool_call_id?: string | null;
  readonly name?: string | null;
  readonly model?: string | null;
  readonly usage?: TokenUsage | null;
  readonly created_at?: string;
  readonly status?: "streaming" | "complete" | "error" | "cancelled";
  readonly finish_reason?: string | null;
  readonly cost?: number | null;
  readonly duration_ms?: number | null;
  readonly first_token_ms?: number | null;
  readonly error?: unknown;
}

export interface ConversationDetail extends Conversation {
  readonly messages: readonly StoredMessage[];
}

export interface ChatRequest {
  readonly model: string;
  readonly message: string;
  readonly conversation_id?: string;
  /** For a new conversation, which is made with them. */
  readonly settings?: ConversationSettings;
  /** Under which message; `null`: as the first. Without it, at the end. */
  readonly parent_id?: string | null;
  readonly attachments?: readonly string[];
  readonly tools?: "auto" | readonly string[];
}

/** One event of an answer's stream. */
export type ChatStreamEvent = {
  [E in keyof ChatEvents]: {
    readonly event: E;
    readonly id: string | undefined;
    readonly data: ChatEvents[E];
  };
}[keyof ChatEvents];

export interface LifecycleEvent {
  readonly id?: number;
  readonly event: string;
  readonly plugin_id: string;
  readonly at?: string;
  readonly generation?: number | null;
  readonly digest?: string | null;
  readonly [key: string]: unknown;
}
