import type { Plugin, PluginState } from "@/api/types";

export const TYPES = ["all", "provider", "tool", "middleware", "export", "ui"] as const;

const LOADED: readonly PluginState[] = ["active", "loading", "draining", "installing"];
const TROUBLE: readonly PluginState[] = ["error", "blocked"];

export const SHOWN = {
  all: { label: "All states", fits: () => true },
  loaded: { label: "Loaded", fits: ({ state }: Plugin) => LOADED.includes(state) },
  idle: { label: "Not loaded", fits: ({ state }: Plugin) => state === "available" || state === "inactive" },
  trouble: { label: "In trouble", fits: ({ state }: Plugin) => TROUBLE.includes(state) },
} as const;

export interface PluginFilter {
  readonly text: string;
  readonly type: (typeof TYPES)[number];
  readonly shown: keyof typeof SHOWN;
}

export function matches(plugin: Plugin, { text, type, shown }: PluginFilter): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const haystack = [plugin.id, plugin.name, plugin.description, plugin.author, ...plugin.tags]
    .join(" ")
    .toLowerCase();
  const ofType = type === "all" || plugin.type === type;
  return ofType && SHOWN[shown].fits(plugin) && words.every((word) => haystack.includes(word));
}
