/** Where the page's long-lived parts are made and tied together; everything else gets them from here. */
import { notifyManager, type Query, QueryClient } from "@tanstack/react-query";
import { navigate } from "wouter/use-browser-location";
import * as chat from "@/api/chat";
import { ApiError } from "@/api/http";
import * as studio from "@/api/studio";
import type { LifecycleEvent, Person, Plugin } from "@/api/types";
import { Sessions } from "@/chat/sessions";
import { framedPlugin } from "@/plugins/Frame";
import { pluginManager } from "@/plugins/instance";
import { type RemotePlugin, RemotePlugins } from "@/plugins/remote";
import { PLUGIN_EVENTS } from "@/plugins/types";
import { clearToasts } from "@/ui/toasts";

export const queryClient = new QueryClient({
  defaultOptions: { queries: { staleTime: 30_000, retry: (count, error) => count < 2 && mayHelp(error) } },
});

/** Asking again helps when nobody answered, never when the answer was no. */
function mayHelp(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 502);
}

export const keys = {
  me: ["me"],
  models: ["models"],
  plugins: ["plugins"],
  /** Whatever belongs to one plugin; stale as soon as the list is. */
  plugin: (id: string, ...part: readonly unknown[]) => ["plugins", id, ...part],
  removed: ["plugins", "", "removed"],
  webhooks: ["webhooks"],
  webhook: (id: string, ...part: readonly unknown[]) => ["webhooks", id, ...part],
  nodes: ["nodes"],
  health: ["health"],
  conversations: ["conversations"],
  conversation: (id: string) => ["conversation", id],
} as const;

export const sessions: Sessions = new Sessions({
  chat: chat.chat,
  regenerate: chat.regenerate,
  resume: chat.resumeChat,
  cancel: chat.cancelChat,
  read: chat.conversation,
  branch: chat.showBranch,
  approve: chat.decide,
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  schedule: (work) => void requestAnimationFrame(work),
  emit: (event, payload, session) => {
    if (sessions.current.get() === session) pluginManager.host.tellChat(event, payload);
  },
  onStarted: (session) => {
    const { id } = session.get();
    if (sessions.current.get() === session && location.pathname === "/")
      navigate(`/c/${id}`, { replace: true });
    void queryClient.invalidateQueries({ queryKey: keys.conversations });
  },
  onEnded: () => void queryClient.invalidateQueries({ queryKey: keys.conversations }),
  onTitled: () => void queryClient.invalidateQueries({ queryKey: keys.conversations }),
});

pluginManager.host.use({ call: studio.executePlugin });

/** Somebody signed in or out: nothing of whoever was there before is kept. */
export function setPerson(person: Person | null): void {
  if (person) forgetEverything();
  queryClient.setQueryData(keys.me, person);
  // Only when the page has heard of it: what it still shows would ask anew for what is gone, and be refused.
  if (!person) notifyManager.schedule(forgetEverything);
}

function forgetEverything(): void {
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.me[0] });
  sessions.clear();
  clearToasts();
}

const remote = new RemotePlugins(pluginManager, { frame: framedPlugin });

/** Makes this page show exactly the UI plugins that are active on the server. */
export function showRemotePlugins(plugins: readonly Plugin[]): Promise<void> {
  const moving = new Set(["installing", "loading", "draining"]);
  const keep = plugins.filter((plugin) => plugin.ui && moving.has(plugin.state) && remote.has(plugin.id));
  return remote.sync(
    plugins.flatMap(asRemote),
    keep.map((plugin) => plugin.id),
  );
}

function asRemote({ id, name, version, digest, generation, state, ui }: Plugin): RemotePlugin[] {
  if (!ui || state !== "active") return [];
  return [{ id, name, version, digest, generation, ui, config: ui.config }];
}

/** A lifecycle event of the server: what it changed is asked again, and hooks are told. */
export function hearLifecycle(event: LifecycleEvent): void {
  refreshPlugins();
  const name = PLUGIN_EVENTS.find((known) => known === event.event.replace("_", ":"));
  // A UI plugin's loads are told by the page itself, when they have happened here.
  if (name && !remote.has(event.plugin_id)) {
    pluginManager.emit(name, event.plugin_id, { source: "server", data: event });
  }
}

/**
 * The list first. What belongs to single plugins follows when the page has heard of it: what shows a plugin that is
 * gone is gone by then, and does not ask for it.
 */
export function refreshPlugins(): void {
  void queryClient.invalidateQueries({ queryKey: keys.models });
  void queryClient.invalidateQueries({ queryKey: keys.nodes });
  const others = { queryKey: keys.plugins, predicate: ({ queryKey }: Query) => queryKey.length > 1 };
  void queryClient
    .invalidateQueries({ queryKey: keys.plugins, exact: true })
    .then(() => notifyManager.schedule(() => void queryClient.invalidateQueries(others)));
}

/** The answer is newer than the list: show it at once, before the list is asked again. */
export function putPlugin(plugin: Plugin): void {
  queryClient.setQueryData<readonly Plugin[]>(keys.plugins, (list) =>
    list?.map((old) => (old.id === plugin.id ? { ...old, ...plugin } : old)),
  );
}

/** It is gone, and so must its row be. */
export function dropPlugin(id: string): void {
  queryClient.setQueryData<readonly Plugin[]>(keys.plugins, (list) => list?.filter((old) => old.id !== id));
}
