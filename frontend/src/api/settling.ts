/** Changes that take longer than one answer. */
import { type Answer, ApiError, get, relative } from "./http";
import type { Plugin } from "./types";

const UNSETTLED = new Set(["installing", "loading", "draining"]);
const POLL_MS = 700;
const PATIENCE_MS = 180_000;

export const pluginUrl = (id: string) => `/api/plugins/${encodeURIComponent(id)}`;

/** Whether something goes on with a plugin that ends by itself. */
export function isUnsettled({ state, change }: Pick<Plugin, "state" | "change">): boolean {
  return UNSETTLED.has(state) || Boolean(change);
}

/**
 * A 202 means "not settled yet": asks its Location until the plugin stands still. Installing packages may take as
 * long as it takes; anything else is given up waiting for, and the list shows how it went on.
 */
export async function settle<P extends Plugin>(call: Promise<Answer<P>>, id: string): Promise<P> {
  const { data, status, location } = await call;
  if (status !== 202) return data;
  const wanted = data.change?.generation;
  let until = Date.now() + PATIENCE_MS;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const now = await get<Plugin>(location ? relative(location) : pluginUrl(id));
    if (now.change?.state === "installing") until = Date.now() + PATIENCE_MS;
    if (!isUnsettled(now)) return { ...data, ...succeeded(now, wanted) };
    if (Date.now() > until) return { ...data, ...now };
  }
}

/** What was wanted serves, or the plugin says why not: it is in trouble, or an older generation goes on. */
function succeeded(now: Plugin, wanted: number | undefined): Plugin {
  const missed = wanted !== undefined && (now.state !== "active" || (now.generation ?? 0) < wanted);
  if (!missed && now.state !== "error" && now.state !== "blocked") return now;
  const { code = now.state, title = "It did not load", detail = "", hint = "" } = now.last_error ?? {};
  throw new ApiError({ code, title, detail, hint, status: 502 });
}
