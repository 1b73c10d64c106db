/** The machines that plugins run on, and the studio's health. */
import { ApiError, ask, get } from "./http";
import type { Health, StudioNode } from "./shapes";
import { all } from "./studio";

export const nodes = (signal?: AbortSignal) => all<StudioNode>("/api/nodes?page_size=200", signal);
export const forgetNode = (node: string) =>
  ask<unknown>(`/api/nodes/${encodeURIComponent(node)}`, { method: "DELETE" });

/** A 503 is an answer here: it says which part is down. */
export async function health(signal?: AbortSignal): Promise<Health> {
  try {
    return await get<Health>("/api/plugins/health", signal);
  } catch (error) {
    const { components } =
      error instanceof ApiError ? (error.problem as Pick<Partial<Health>, "components">) : {};
    if (components) return { status: "down", components };
    throw error;
  }
}
