/** Calls to the server about people, models and plugins, one function each; conversations are in chat.ts. */
import { ask, get, relative } from "./http";
import { pluginUrl, settle } from "./settling";
import type { ConfigValues, Model, Page, Person, Plugin, Reloaded } from "./types";

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

/** The models one can chat with; those that make vectors are for programs. */
export async function models(signal?: AbortSignal): Promise<readonly Model[]> {
  const { data } = await get<{ data: readonly Model[] }>("/api/models", signal);
  return data.filter((model) => model.kind !== "embedding");
}

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

/** Calls a method of a plugin, as the person at this page. */
export async function executePlugin(
  plugin_id: string,
  method: string,
  kwargs: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const body = { plugin_id, method, kwargs };
  return (await ask<{ result: unknown }>("/api/plugins/execute", { method: "POST", body })).data.result;
}

export const discoverPlugins = () => ask<unknown>("/api/plugins/discover", { method: "POST", body: {} });

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
