/** The bundled UI plugins, as their authors ship them: plain JavaScript against React and the public SDK. */
import { resolve } from "node:path";
import { pluginManager } from "@/plugins/pluginSystem";
import { instantiate } from "@/plugins/remote";
import type { ChatMessage } from "@/plugins/types";

const FOLDER = resolve(import.meta.dirname, "../../../installed_plugins");

export async function loadBundled(
  folder: string,
  mounts: readonly string[],
  config: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const module = (await import(/* @vite-ignore */ `${FOLDER}/${folder}/ui/index.js`)) as {
    default?: unknown;
  };
  await pluginManager.loadPlugin(instantiate(module), config, { mounts });
}

export function aMessage(more: Partial<ChatMessage> & Pick<ChatMessage, "id">): ChatMessage {
  return {
    role: "assistant",
    text: "",
    reasoning: "",
    status: "done",
    model: "p/m",
    createdAt: null,
    usage: null,
    cost: null,
    durationMs: null,
    firstTokenMs: null,
    toolCalls: [],
    attachments: [],
    ...more,
  };
}

export const asked = (id: string, text: string) => aMessage({ id, role: "user", text });
