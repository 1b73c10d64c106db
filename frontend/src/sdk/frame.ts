/**
 * What runs inside a sandboxed UI plugin's frame: the same runtime as the page's, fed through a MessagePort.
 * The frame has an origin of its own, so this is a second copy of the SDK, and reaches nothing of the page.
 */
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { type FrameInit, type FromFrame, HELLO, type ToFrame } from "@/plugins/frameProtocol";
import type { MountPoint } from "@/plugins/mounts";
import { PluginMount, pluginManager } from "@/plugins/pluginSystem";
import { instantiate } from "@/plugins/remote";

const root = document.getElementById("root") as HTMLElement;

window.addEventListener("message", function first(event: MessageEvent<ToFrame>) {
  const [port] = event.ports;
  if (event.data?.type !== "init" || !port) return;
  window.removeEventListener("message", first);
  const tell = (message: FromFrame) => port.postMessage(message);
  port.onmessage = (message: MessageEvent<ToFrame>) => apply(message.data);
  start(event.data, tell).catch((error: unknown) => tell({ type: "failed", message: String(error) }));
});
window.parent.postMessage(HELLO, "*");

async function start(init: FrameInit, tell: (message: FromFrame) => void): Promise<void> {
  const { host } = pluginManager;
  host.theme.set(init.theme);
  host.conversation.set(init.conversation);
  host.composer.on("insert", (text) => tell({ type: "insert", text }));
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

function apply(message: ToFrame): void {
  const { host } = pluginManager;
  if (message.type === "theme") {
    host.theme.set(message.value);
    document.documentElement.dataset.theme = message.value;
    document.documentElement.style.colorScheme = message.value;
  } else if (message.type === "conversation") host.conversation.set(message.value);
  else if (message.type === "chat") host.tellChat(message.event, message.payload as never);
}
