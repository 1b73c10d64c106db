import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Plugin } from "@/api/types";
import { queryClient } from "@/app/wiring";
import { Toasts } from "@/ui/toasts";
import { PluginsPage } from "./PluginsPage";

const base: Plugin = {
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
  digest: "d1",
  generation: 1,
  dependencies: [],
  dependents: [],
  permissions: { asked: [], granted: [] },
  last_error: null,
  usage: { calls: 0, errors: 0, rss_bytes: 0 },
  ui: null,
  links: { self: "/api/plugins/calc" },
};

type Reply = { status: number; body: unknown };
let plugins: Plugin[];
let replies: Record<string, Reply[]>;
/** The list is answered only when this has come. */
let listed: Promise<void>;
let asked: { call: string; body: unknown }[];

beforeEach(() => {
  plugins = [base];
  replies = {};
  asked = [];
  listed = Promise.resolve();
  queryClient.clear();
  vi.stubGlobal("fetch", async (path: string, init?: RequestInit) => {
    const call = `${init?.method ?? "GET"} ${path}`;
    if (call.startsWith("GET /api/plugins/available")) {
      await listed;
      return json(200, { next: null, results: plugins });
    }
    if (call === "GET /api/models") return json(200, { data: [] });
    asked.push({ call, body: init?.body ? JSON.parse(String(init.body)) : undefined });
    const reply = replies[call]?.shift();
    if (!reply) throw new Error(`nobody answers ${call}`);
    return json(reply.status, reply.body);
  });
});

afterEach(() => vi.unstubAllGlobals());

const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });
const problem = (status: number, code: string, more: object = {}) => ({
  status,
  body: { type: "", title: code, status, detail: `because ${code}`, code, ...more },
});

function show(operator = true) {
  return render(
    <QueryClientProvider client={queryClient}>
      <PluginsPage person={{ username: "ann", is_operator: operator }} />
      <Toasts />
    </QueryClientProvider>,
  );
}

const click = (id: string) => fireEvent.click(screen.getByTestId(id));

test("a person who is no operator sees the plugins and can change none", async () => {
  show(false);
  await screen.findByTestId("plugin-row-calc");
  expect(screen.getByTestId("plugin-state-calc").textContent).toBe("active");
  expect(screen.queryByTestId("plugin-unload-calc")).toBeNull();
  expect(screen.queryByTestId("plugins-discover")).toBeNull();
});

test("why a plugin is in trouble, and what to do, stands in its row", async () => {
  const why = {
    code: "x",
    title: "initialize raised",
    detail: "no key",
    recoverable: true,
    hint: "Set api_key.",
  };
  plugins = [{ ...base, state: "error", last_error: { ...why, at: null } }];
  show();
  const row = within(await screen.findByTestId("plugin-row-calc"));
  for (const text of ["initialize raised", "no key", "Set api_key."])
    expect(row.getByText(text)).toBeTruthy();
});

test("unload, and the undo that loads it again", async () => {
  replies["POST /api/plugins/calc/unload"] = [{ status: 200, body: { ...base, state: "inactive" } }];
  replies["POST /api/plugins/load"] = [{ status: 200, body: base }];
  show();
  await screen.findByTestId("plugin-row-calc");
  plugins = [{ ...base, state: "inactive" }];
  click("plugin-unload-calc");
  await waitFor(() => expect(screen.getByTestId("plugin-state-calc").textContent).toBe("inactive"));
  plugins = [base];
  fireEvent.click(await screen.findByText("Undo"));
  await waitFor(() => expect(screen.getByTestId("plugin-state-calc").textContent).toBe("active"));
  expect(asked.at(-1)?.body).toEqual({ plugin_id: "calc" });
});

test("a plugin others need is unloaded with them only when that was agreed to", async () => {
  replies["POST /api/plugins/calc/unload"] = [
    problem(409, "dependents_loaded", { dependents: ["tutor"] }),
    { status: 200, body: { ...base, state: "inactive" } },
  ];
  show();
  await screen.findByTestId("plugin-row-calc");
  click("plugin-unload-calc");
  expect(await screen.findByText("tutor")).toBeTruthy();
  click("unload-cascade");
  await waitFor(() => expect(asked.map(({ body }) => body)).toEqual([{}, { cascade: true }]));
});

test("permissions that are not granted are asked for, then granted with the load", async () => {
  const permissions = { asked: ["network:api.x.org:443"], granted: [] };
  plugins = [{ ...base, state: "available", permissions }];
  replies["POST /api/plugins/load"] = [problem(409, "permission_required"), { status: 200, body: base }];
  show();
  await screen.findByTestId("plugin-row-calc");
  click("plugin-load-calc");
  await screen.findByText("network:api.x.org:443");
  click("grant-and-load");
  await waitFor(() =>
    expect(asked.at(-1)?.body).toEqual({ plugin_id: "calc", grant: ["network:api.x.org:443"] }),
  );
});

test("a load the configuration does not allow opens the form with the error at its field", async () => {
  plugins = [{ ...base, state: "inactive" }];
  const errors = [{ pointer: "/limit", message: "is too small" }];
  replies["POST /api/plugins/load"] = [
    problem(422, "config_invalid", { errors }),
    { status: 200, body: base },
  ];
  show();
  await screen.findByTestId("plugin-row-calc");
  click("plugin-load-calc");
  const field = within(await screen.findByTestId("field-limit"));
  expect(field.getByRole("alert").textContent).toBe("is too small");
  fireEvent.change(field.getByRole("textbox"), { target: { value: "5" } });
  click("config-save");
  const config = { api_key: "********", limit: 5 };
  await waitFor(() => expect(asked.at(-1)?.body).toEqual({ plugin_id: "calc", config }));
});

test("what is configured is sent whole, the secret as its mask", async () => {
  replies["PUT /api/plugins/calc/config"] = [{ status: 200, body: base }];
  show();
  await screen.findByTestId("plugin-row-calc");
  click("plugin-configure-calc");
  fireEvent.change(within(screen.getByTestId("field-limit")).getByRole("textbox"), {
    target: { value: "7" },
  });
  click("config-save");
  await waitFor(() => expect(asked.at(-1)?.body).toEqual({ config: { api_key: "********", limit: 7 } }));
  await waitFor(() => expect(screen.queryByTestId("config-save")).toBeNull());
});

test("a form opened right after saving starts from what was saved, not from a list that is older", async () => {
  const saved = { ...base, config: { api_key: "********", limit: 7 } };
  replies["PUT /api/plugins/calc/config"] = [{ status: 200, body: saved }];
  show();
  await screen.findByTestId("plugin-row-calc");
  listed = new Promise(() => undefined);
  click("plugin-configure-calc");
  click("config-save");
  await waitFor(() => expect(screen.queryByTestId("config-save")).toBeNull());
  click("plugin-configure-calc");
  const limit = within(screen.getByTestId("field-limit")).getByRole<HTMLInputElement>("textbox");
  expect(limit.value).toBe("7");
});

test("words and types narrow the list", async () => {
  plugins = [base, { ...base, id: "md", name: "Markdown", type: "export", tags: [] }];
  show();
  await screen.findByTestId("plugin-row-md");
  fireEvent.change(screen.getByTestId("plugins-search"), { target: { value: "math" } });
  expect(screen.queryByTestId("plugin-row-md")).toBeNull();
  fireEvent.change(screen.getByTestId("plugins-search"), { target: { value: "" } });
  fireEvent.click(screen.getByRole("button", { name: "export" }));
  expect(screen.queryByTestId("plugin-row-calc")).toBeNull();
  expect(screen.getByTestId("plugin-row-md")).toBeTruthy();
});
