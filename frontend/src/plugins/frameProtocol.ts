/** What the page and a sandboxed UI plugin's frame say to each other, over one MessagePort. */
import type { ChatEventName, ConversationInfo, PluginConfig, Theme } from "./types";

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
}

export type ToFrame =
  | FrameInit
  | { readonly type: "theme"; readonly value: Theme }
  | { readonly type: "conversation"; readonly value: ConversationInfo }
  | { readonly type: "chat"; readonly event: ChatEventName; readonly payload: unknown };

export type FromFrame =
  | { readonly type: "size"; readonly width: number; readonly height: number }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "insert"; readonly text: string };

export const CHAT_EVENT_NAMES = [
  "message.start",
  "delta",
  "reasoning",
  "tool.call",
  "tool.progress",
  "tool.result",
  "message.end",
  "error",
] as const satisfies readonly ChatEventName[];

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
