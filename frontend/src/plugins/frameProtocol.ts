/** What the page and a sandboxed UI plugin's frame say to each other, over one MessagePort. */
import type { ChatEventName, ChatMessage, ConversationInfo, PluginConfig, Theme } from "./types";

/** The frame's first word to the page, which answers with `init` and a port. */
export const HELLO = "studio:frame-ready";

export interface FrameInit {
  readonly type: "init";
  readonly plugin: { readonly id: string; readonly name: string; readonly version: string };
  readonly mountPoint: string;
  readonly mounts: readonly string[];
  /** The entry module's text: the frame has no origin, so it cannot fetch it with the person's session. */
  readonly source: string;
  readonly config: PluginConfig;
  readonly slot: Readonly<Record<string, unknown>>;
  readonly theme: Theme;
  readonly conversation: ConversationInfo;
  readonly messages: readonly ChatMessage[];
  readonly draft: string;
}

/** The order of all messages, and those that are new or have changed since the last time. */
export interface MessageChanges {
  readonly ids: readonly string[];
  readonly changed: readonly ChatMessage[];
}

/** What the page does for a frame, which can reach nothing by itself. */
export type FrameQuestion =
  | { readonly what: "call"; readonly method: string; readonly kwargs: Readonly<Record<string, unknown>> }
  | { readonly what: "read"; readonly key: string }
  | { readonly what: "write"; readonly key: string; readonly value: unknown };

export type ToFrame =
  | FrameInit
  | { readonly type: "theme"; readonly value: Theme }
  | { readonly type: "conversation"; readonly value: ConversationInfo }
  | ({ readonly type: "messages" } & MessageChanges)
  | { readonly type: "draft"; readonly value: string }
  | { readonly type: "answer"; readonly id: number; readonly result?: unknown; readonly error?: string }
  | { readonly type: "chat"; readonly event: ChatEventName; readonly payload: unknown };

export type FromFrame =
  | { readonly type: "size"; readonly width: number; readonly height: number }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "insert"; readonly text: string }
  | { readonly type: "replace"; readonly text: string }
  | { readonly type: "reveal"; readonly messageId: string }
  | { readonly type: "ask"; readonly id: number; readonly question: FrameQuestion };

export const CHAT_EVENT_NAMES = [
  "message.start",
  "delta",
  "reasoning",
  "tool.call",
  "tool.progress",
  "tool.result",
  "message.end",
  "error",
  "tool.approval",
  "conversation.title",
] as const satisfies readonly ChatEventName[];

/** What to tell a frame that has heard of `before`; a long conversation is not sent again for every word. */
export function messageChanges(
  before: readonly ChatMessage[],
  after: readonly ChatMessage[],
): MessageChanges {
  const known = new Set(before);
  return { ids: after.map(({ id }) => id), changed: after.filter((message) => !known.has(message)) };
}

export function applyChanges(
  before: readonly ChatMessage[],
  { ids, changed }: MessageChanges,
): readonly ChatMessage[] {
  const known = new Map([...before, ...changed].map((message) => [message.id, message]));
  return ids.flatMap((id) => known.get(id) ?? []);
}

export interface FrameLook {
  readonly theme: Theme;
  /** As wide as its place, or as wide as what is in it. */
  readonly fill: boolean;
}

/**
 * The frame's whole page. It may run the studio's SDK and the plugin's own text, and reach nothing:
 * no network, no storage, no cookies, no parent document.
 */
export function frameDocument(
  origin: string,
  sdk: Readonly<Record<string, string>>,
  look: FrameLook,
): string {
  const { theme, fill } = look;
  const absolute = Object.fromEntries(
    Object.entries(sdk).map(([name, url]) => [name, new URL(url, origin).href]),
  );
  const { "studio/frame": frame, ...imports } = absolute;
  const csp = [
    "default-src 'none'",
    `script-src ${origin} blob: 'unsafe-inline'`,
    "style-src 'unsafe-inline'",
    "img-src data: blob:",
  ].join("; ");
  return `<!doctype html><html data-theme="${theme}"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<style>:root{color-scheme:${theme};font:14px/1.45 system-ui,sans-serif}body{margin:0;background:transparent}#root{width:${fill ? "100%" : "max-content"}}</style>
<script type="importmap">${JSON.stringify({ imports })}</script>
</head><body><div id="root"></div><script type="module" src="${frame}"></script></body></html>`;
}
