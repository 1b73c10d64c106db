/** Calls that manage plugins beyond loading them: packages, versions, plans, configurations of the past. */
import { type Answer, ask, get } from "./http";
import { pluginUrl, settle } from "./settling";
import type { Comparison, History, InstalledPackage, Plan, RemovedPlugin } from "./shapes";
import { all } from "./studio";
import type { ConfigValues, Page, Plugin, Reloaded } from "./types";
import { type UploadOptions, upload } from "./upload";

export type InstalledPlugin = Plugin & { readonly installed: InstalledPackage };

export async function installPackage(file: File, options: UploadOptions): Promise<InstalledPlugin> {
  const form = new FormData();
  form.set("package", file);
  return (await upload<InstalledPlugin>("/api/plugins/install", form, options)).data;
}

export const cancelChange = async (id: string) => (await post<Plugin>(`${pluginUrl(id)}/cancel`)).data;

export interface PlanQuery {
  readonly action: Plan["action"];
  readonly cascade?: boolean;
  readonly digest?: string;
}

export function plan(id: string, { action, cascade, digest }: PlanQuery, signal?: AbortSignal) {
  const query = new URLSearchParams({
    action,
    ...(cascade && { cascade: "true" }),
    ...(digest && { digest }),
  });
  return get<Plan>(`${pluginUrl(id)}/plan?${query}`, signal);
}

export const history = (id: string, signal?: AbortSignal) =>
  get<History>(`${pluginUrl(id)}/versions`, signal);

/** What to go back to: a version with today's configuration, or a release with the one it had. */
export interface RollbackTarget {
  readonly digest?: string;
  readonly generation?: number;
}

export const rollback = (id: string, target: RollbackTarget) =>
  settle(post<Reloaded>(`${pluginUrl(id)}/rollback`, target), id);

export const removePlugin = (id: string) => ask<unknown>(pluginUrl(id), { method: "DELETE" });
export const restorePlugin = async (id: string) => (await post<Plugin>(`${pluginUrl(id)}/restore`)).data;
export const removedPlugins = (signal?: AbortSignal) =>
  all<RemovedPlugin>("/api/plugins/removed?page_size=200", signal);

export const revisionsPath = (id: string) => `${pluginUrl(id)}/config/history?page_size=20`;

export async function revisionConfig(id: string, number: number, signal?: AbortSignal) {
  const path = `${pluginUrl(id)}/config/history/${number}`;
  return (await get<{ config: ConfigValues }>(path, signal)).config;
}

export const compareRevisions = (id: string, from: number, to: number, signal?: AbortSignal) =>
  get<Comparison>(`${pluginUrl(id)}/config/compare?from=${from}&to=${to}`, signal);

export const restoreRevision = (id: string, number: number) =>
  settle(post<Plugin>(`${pluginUrl(id)}/config/rollback`, { number }), id);

export const eventsPath = (id: string) => `${pluginUrl(id)}/events?page_size=50`;

export const page = <T>(path: string, signal?: AbortSignal) => get<Page<T>>(path, signal);

function post<T>(path: string, body: object = {}): Promise<Answer<T>> {
  return ask<T>(path, { method: "POST", body });
}
