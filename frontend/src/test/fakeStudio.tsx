/** A studio at the boundary of HTTP: what it answers is set by the test, what it was asked can be looked at. */
import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";
import type { Plugin } from "@/api/types";
import { queryClient } from "@/app/wiring";
import { clearToasts, Toasts } from "@/ui/toasts";

export const OPERATOR = { username: "ann", is_operator: true };
export const MEMBER = { username: "bob", is_operator: false };

export function aPlugin(more: Partial<Plugin> = {}): Plugin {
  return {
    id: "calc",
    name: "Calculator",
    version: "1.0.0",
    author: "us",
    description: "Adds.",
    type: "tool",
    tags: ["math"],
    license: "MIT",
    homepage: null,
    repository: null,
    state: "active",
    nodes: [],
    config: { api_key: "********" },
    config_schema: { properties: { api_key: { type: "string", secret: true }, limit: { type: "integer" } } },
    config_version: 1,
    digest: "d1",
    generation: 1,
    dependencies: [],
    required_by: [],
    dependents: [],
    permissions: { asked: [], granted: [] },
    last_error: null,
    usage: { calls: 0, errors: 0, rss_bytes: 0 },
    ui: null,
    links: { self: "/api/plugins/calc" },
    environment: null,
    change: null,
    soak: null,
    message: "",
    ...more,
  };
}

export interface Reply {
  readonly status: number;
  readonly body?: unknown;
}

export const ok = (body: unknown): Reply => ({ status: 200, body });
export const page = (...results: readonly unknown[]) => ok({ next: null, results });

export function problem(status: number, code: string, more: object = {}): Reply {
  return { status, body: { type: "", title: code, status, detail: `because ${code}`, code, ...more } };
}

export interface FakeStudio {
  plugins: readonly Plugin[];
  /** The list is answered only when this has come. */
  listed: Promise<void>;
  /** What reading answers, by path without the query. */
  readonly shows: Record<string, Reply>;
  /** What changes answer, one reply after another, by "METHOD path". */
  readonly replies: Record<string, Reply[]>;
  /** The changes that were asked for. */
  readonly asked: { readonly call: string; readonly body: unknown }[];
  /** What was read, with the query. */
  readonly read: string[];
}

/** Takes the place of the network until the test is over. */
export function fakeStudio(): FakeStudio {
  const studio: FakeStudio = {
    plugins: [aPlugin()],
    listed: Promise.resolve(),
    shows: { "/api/models": ok({ data: [] }), "/api/plugins/removed": page() },
    replies: {},
    asked: [],
    read: [],
  };
  queryClient.clear();
  clearToasts();
  vi.stubGlobal("fetch", async (url: string, init?: RequestInit) => answer(await reply(studio, url, init)));
  return studio;
}

async function reply(studio: FakeStudio, url: string, { method = "GET", body }: RequestInit = {}) {
  const [path = url] = url.split("?");
  if (method !== "GET") {
    studio.asked.push({ call: `${method} ${path}`, body: body ? JSON.parse(String(body)) : undefined });
    return studio.replies[`${method} ${path}`]?.shift() ?? problem(500, "unexpected");
  }
  studio.read.push(url);
  if (path !== "/api/plugins/available") return studio.shows[path] ?? problem(404, "not_found");
  await studio.listed;
  return page(...studio.plugins);
}

const answer = ({ status, body }: Reply) =>
  new Response(status === 204 ? null : JSON.stringify(body), { status });

/** A part of the page with all it needs around it. */
export function show(part: ReactNode) {
  return render(
    <QueryClientProvider client={queryClient}>
      {part}
      <Toasts />
    </QueryClientProvider>,
  );
}

export const press = (name: string | RegExp) => fireEvent.click(screen.getByRole("button", { name }));
export const click = (id: string) => fireEvent.click(screen.getByTestId(id));
