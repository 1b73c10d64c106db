/** The shapes of the studio's HTTP interface, as far as the page uses them. */
import type { ChatEvents, PluginType, TokenUsage } from "@/plugins/types";

export interface Person {
  readonly username: string;
  readonly is_operator: boolean;
}

export interface Page<T> {
  readonly count: number;
  readonly next: string | null;
  readonly previous: string | null;
  readonly results: readonly T[];
}

export interface Problem {
  readonly type?: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly code: string;
  readonly errors?: readonly FieldError[];
  /** What to do about it. */
  readonly hint?: string;
  /** A 409 of unload names who is in the way. */
  readonly dependents?: readonly string[];
}

export interface FieldError {
  readonly pointer: string;
  readonly message: string;
}

export type PluginState =
  | "available"
  | "installing"
  | "loading"
  | "active"
  | "draining"
  | "inactive"
  | "error"
  | "blocked";

export interface PluginNode {
  readonly node: string;
  readonly state: PluginState;
  readonly generation: number | null;
  readonly digest: string | null;
  readonly pid: number | null;
  readonly started_at: string | null;
  readonly restarts: number;
  readonly rss_bytes: number | null;
  readonly calls: number;
  readonly errors: number;
  readonly error: unknown;
}

export interface PluginFault {
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly recoverable: boolean;
  readonly hint?: string | null;
  readonly traceback?: string | null;
  readonly at?: string | null;
}

export interface Dependency {
  readonly id: string;
  readonly range: string;
  readonly optional: boolean;
  readonly satisfied: boolean;
}

export interface PluginUI {
  readonly entry: string;
  readonly mounts: readonly string[];
  readonly isolation: "page" | "iframe";
  /** Configuration for the page, without secrets; for people who may not see `config`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
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

export interface Plugin {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly author: string;
  readonly description: string;
  readonly type: PluginType | null;
  readonly tags: readonly string[];
  readonly license: string | null;
  readonly homepage: string | null;
  readonly repository: string | null;
  readonly state: PluginState;
  readonly nodes?: readonly PluginNode[];
  /** Only for operators; secrets are masked. */
  readonly config?: ConfigValues;
  readonly config_schema?: JsonSchema;
  readonly digest: string | null;
  readonly generation: number | null;
  readonly dependencies?: readonly Dependency[];
  readonly dependents?: readonly string[];
  readonly permissions?: { readonly asked: readonly string[]; readonly granted: readonly string[] };
  readonly last_error: PluginFault | null;
  readonly usage?: { readonly calls: number; readonly errors: number; readonly rss_bytes: number | null };
  readonly ui: PluginUI | null;
}

export interface Model {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly context_window?: number | null;
  readonly max_tokens?: number | null;
  readonly plugin_id: string;
}

export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface StoredMessage {
  readonly id: string;
  readonly role: "user" | "assistant" | "system" | "tool";
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
  readonly duration_ms?: number | null;
  readonly error?: unknown;
}

export interface ConversationDetail extends Conversation {
  readonly messages: readonly StoredMessage[];
}

export interface ChatRequest {
  readonly model: string;
  readonly message: string;
  readonly conversation_id?: string;
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
  readonly event: string;
  readonly plugin_id: string;
  readonly at?: string;
  readonly generation?: number | null;
  readonly digest?: string | null;
  readonly [key: string]: unknown;
}
