/**
 * What runs inside a sandboxed UI plugin's frame: the same runtime as the page's, fed through a MessagePort.
 * The frame has an origin of its own, so this is a second copy of the SDK, and reaches nothing of the page.
 */
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import {
  applyChanges,
  type FrameInit,
  type FrameQuestion,
  type FromFrame,
  HELLO,
  type ToFrame,
} from "@/plugins/frameProtocol";
import type { MountPoint } from "@/plugins/mounts";
import { PluginMount, pluginManager } from "@/plugins/pluginSystem";
import { instantiate } from "@/plugins/remote";

type Tell = (message: FromFrame) => void;

const root = document.getElementById("root") as HTMLElement;

window.addEventListener("message", function first(event: MessageEvent<ToFrame>) {
  const [port] = event.ports;
  if (event.data?.type !== "init" || !port) return;
  window.removeEventListener("message", first);
  const tell: Tell = (message) => port.postMessage(message);
  port.onmessage = (message: MessageEvent<ToFrame>) => apply(message.data);
  start(event.data, tell).catch((error: unknown) => tell({ type: "failed", message: String(error) }));
});
window.parent.postMessage(HELLO, "*");

async function start(init: FrameInit, tell: Tell): Promise<void> {
  const { host } = pluginManager;
  host.theme.set(init.theme);
  host.conversation.set(init.conversation);
  host.messages.set(init.messages);
  host.draft.set(init.draft);
  host.composer.on("insert", (text) => tell({ type: "insert", text }));
  host.composer.on("replace", (text) => tell({ type: "replace", text }));
  host.transcript.on("reveal", (messageId) => tell({ type: "reveal", messageId }));
  host.use({
    call: (_, method, kwargs) => question(tell, { what: "call", method, kwargs }),
    read: (_, key) => question(tell, { what: "read", key }),
    write: async (_, key, value) => void (await question(tell, { what: "write", key, value })),
  });
  pluginManager.registerHook("plugin:crashed", (_, { error }) =>
    tell({ type: "failed", message: String(error) }),
  );
  const url = URL.createObjectURL(new Blob([init.source], { type: "text/javascript" }));
  const plugin = instantiate(await import(/* @vite-ignore */ url));
  await pluginManager.loadPlugin(plugin, init.config, { ...init.plugin, mounts: init.mounts });
  const mountPoint = init.mountPoint as MountPoint;
  createRoot(root).render(createElement(PluginMount, { mountPoint, slot: init.slot }));
  new ResizeObserver(() =>
    tell({ type: "size", width: root.scrollWidth, height: root.scrollHeight }),
  ).observe(root);
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

const waiting = new Map<number, Waiting>();
let questions = 0;

/** Asks the page, which can do what a frame cannot. */
function question(tell: Tell, asked: FrameQuestion): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const id = ++questions;
    waiting.set(id, { resolve, reject });
    tell({ type: "ask", id, question: asked });
  });
}

function answered({ id, result, error }: Extract<ToFrame, { type: "answer" }>): void {
  const asker = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) asker?.resolve(result);
  else asker?.reject(new Error(error));
}

function apply(message: ToFrame): void {
  const { host } = pluginManager;
  if (message.type === "theme") {
    host.theme.set(message.value);
    document.documentElement.dataset.theme = message.value;
    document.documentElement.style.colorScheme = message.value;
  } else if (message.type === "conversation") host.conversation.set(message.value);
  else if (message.type === "messages") host.messages.set(applyChanges(host.messages.get(), message));
  else if (message.type === "draft") host.draft.set(message.value);
  else if (message.type === "answer") answered(message);
  else if (message.type === "chat") host.tellChat(message.event, message.payload as never);
}
