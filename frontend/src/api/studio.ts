/** Every call the page makes to the server, one function each. */
import { ask, type Call, get, relative, request } from "./http";
import { pluginUrl, settle } from "./settling";
import { serverEvents } from "./sse";
import type {
  ChatRequest,
  ChatStreamEvent,
  ConfigValues,
  Conversation,
  ConversationDetail,
  Model,
  Page,
  Person,
  Plugin,
  Reloaded,
} from "./types";

export interface LoadOptions {
  readonly config?: ConfigValues;
  /** Permissions the operator grants with it. */
  readonly grant?: readonly string[];
}

export const me = (signal?: AbortSignal) => get<Person>("/api/auth/me", signal);

export async function login(username: string, password: string): Promise<Person> {
  const { data } = await ask<Person>("/api/auth/login", { method: "POST", body: { username, password } });
  return data;
}

export const logout = () => ask<unknown>("/api/auth/logout", { method: "POST" });

export async function models(signal?: AbortSignal): Promise<readonly Model[]> {
  return (await get<{ data: readonly Model[] }>("/api/models", signal)).data;
}

export async function conversations(search: string, signal?: AbortSignal): Promise<readonly Conversation[]> {
  const query = new URLSearchParams({ page_size: "100", ...(search && { search }) });
  return (await get<Page<Conversation>>(`/api/conversations?${query}`, signal)).results;
}

export const conversation = (id: string, signal?: AbortSignal) =>
  get<ConversationDetail>(`/api/conversations/${encodeURIComponent(id)}`, signal);
export const renameConversation = (id: string, title: string) =>
  ask<Conversation>(`/api/conversations/${encodeURIComponent(id)}`, { method: "PATCH", body: { title } });
export const deleteConversation = (id: string, keepalive = false) =>
  ask<unknown>(`/api/conversations/${encodeURIComponent(id)}`, { method: "DELETE", keepalive });

export const exportUrl = (id: string, format: string) =>
  `/api/conversations/${encodeURIComponent(id)}/export?format=${encodeURIComponent(format)}`;

export const plugins = (signal?: AbortSignal) => all<Plugin>("/api/plugins/available?page_size=200", signal);
export const plugin = (id: string, signal?: AbortSignal) => get<Plugin>(pluginUrl(id), signal);
export const loadPlugin = (plugin_id: string, { config, grant }: LoadOptions = {}) =>
  settle(
    ask<Plugin>("/api/plugins/load", {
      method: "POST",
      body: { plugin_id, ...(config && { config }), ...(grant && { grant }) },
    }),
    plugin_id,
  );
export const unloadPlugin = (id: string, cascade = false) =>
  settle(ask<Plugin>(`${pluginUrl(id)}/unload`, { method: "POST", body: cascade ? { cascade } : {} }), id);
export const reloadPlugin = (id: string) =>
  settle(ask<Reloaded>(`${pluginUrl(id)}/reload`, { method: "POST", body: {} }), id);
export const configurePlugin = (id: string, config: ConfigValues) =>
  settle(ask<Plugin>(`${pluginUrl(id)}/config`, { method: "PUT", body: { config } }), id);
export const discoverPlugins = () => ask<unknown>("/api/plugins/discover", { method: "POST", body: {} });

/** Sends a message and gives the answer's events as they come. */
export function chat(
  body: ChatRequest,
  signal: AbortSignal,
): AsyncGenerator<ChatStreamEvent, void, undefined> {
  return streamed("/api/chat", { method: "POST", body, signal });
}

/** The events of an answer after `lastEventId`; of the one under way, from its start, without it. */
export function resumeChat(id: string, lastEventId: string | undefined, signal: AbortSignal) {
  const headers = lastEventId ? { "Last-Event-ID": lastEventId } : {};
  return streamed(`/api/conversations/${encodeURIComponent(id)}/stream`, { signal, headers });
}

export const cancelChat = (id: string) =>
  ask<unknown>(`/api/conversations/${encodeURIComponent(id)}/cancel`, { method: "POST" });

async function* streamed(path: string, call: Call): AsyncGenerator<ChatStreamEvent, void, undefined> {
  const response = await request(path, { ...call, accept: "text/event-stream" });
  if (!response.body) return;
  for await (const { event, data, id } of serverEvents(response.body)) {
    yield { event, id, data: JSON.parse(data) } as ChatStreamEvent;
  }
}

export async function all<T>(path: string, signal?: AbortSignal): Promise<readonly T[]> {
  const found: T[] = [];
  let next: string | null = path;
  while (next) {
    const page: Page<T> = await get<Page<T>>(next, signal);
    found.push(...page.results);
    next = page.next && relative(page.next);
  }
  return found;
}
