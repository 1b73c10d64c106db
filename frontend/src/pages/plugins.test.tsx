import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  aPlugin,
  click,
  type FakeStudio,
  fakeStudio,
  MEMBER,
  OPERATOR,
  ok,
  problem,
  show,
} from "@/test/fakeStudio";
import { PluginsPage } from "./PluginsPage";

const base = aPlugin();
let studio: FakeStudio;

beforeEach(() => {
  studio = fakeStudio();
});

afterEach(() => vi.unstubAllGlobals());

const open = (operator = true) => show(<PluginsPage person={operator ? OPERATOR : MEMBER} />);

test("a person who is no operator sees the plugins and can change none", async () => {
  open(false);
  await screen.findByTestId("plugin-row-calc");
  expect(screen.getByTestId("plugin-state-calc").textContent).toBe("active");
  expect(screen.queryByTestId("plugin-unload-calc")).toBeNull();
  for (const id of ["plugins-discover", "plugins-install", "plugin-reload-calc", "removed-plugins"])
    expect(screen.queryByTestId(id)).toBeNull();
  expect(screen.queryByRole("button", { name: /^(More|Configure)/ })).toBeNull();
});

test("why a plugin is in trouble, and what to do, stands in its row", async () => {
  const why = {
    code: "x",
    title: "initialize raised",
    detail: "no key",
    recoverable: true,
    hint: "Set api_key.",
  };
  studio.plugins = [{ ...base, state: "error", last_error: { ...why, at: null } }];
  open();
  const row = within(await screen.findByTestId("plugin-row-calc"));
  for (const text of ["initialize raised", "no key", "Set api_key."])
    expect(row.getByText(text)).toBeTruthy();
});

test("unload, and the undo that loads it again", async () => {
  studio.replies["POST /api/plugins/calc/unload"] = [ok({ ...base, state: "inactive" })];
  studio.replies["POST /api/plugins/load"] = [ok(base)];
  open();
  await screen.findByTestId("plugin-row-calc");
  studio.plugins = [{ ...base, state: "inactive" }];
  click("plugin-unload-calc");
  await waitFor(() => expect(screen.getByTestId("plugin-state-calc").textContent).toBe("inactive"));
  studio.plugins = [base];
  fireEvent.click(await screen.findByText("Undo"));
  await waitFor(() => expect(screen.getByTestId("plugin-state-calc").textContent).toBe("active"));
  expect(studio.asked.at(-1)?.body).toEqual({ plugin_id: "calc" });
});

test("a plugin others need is unloaded with them only when that was agreed to", async () => {
  studio.replies["POST /api/plugins/calc/unload"] = [
    problem(409, "dependents_loaded", { dependents: ["tutor"] }),
    ok({ ...base, state: "inactive" }),
  ];
  open();
  await screen.findByTestId("plugin-row-calc");
  click("plugin-unload-calc");
  expect(await screen.findByText("tutor")).toBeTruthy();
  click("unload-cascade");
  await waitFor(() => expect(studio.asked.map(({ body }) => body)).toEqual([{}, { cascade: true }]));
});

test("permissions that are not granted are asked for, then granted with the load", async () => {
  const permissions = { asked: ["network:api.x.org:443"], granted: [] };
  studio.plugins = [{ ...base, state: "available", permissions }];
  studio.replies["POST /api/plugins/load"] = [problem(409, "permission_required"), ok(base)];
  open();
  await screen.findByTestId("plugin-row-calc");
  click("plugin-load-calc");
  await screen.findByText("network:api.x.org:443");
  click("grant-and-load");
  await waitFor(() =>
    expect(studio.asked.at(-1)?.body).toEqual({ plugin_id: "calc", grant: ["network:api.x.org:443"] }),
  );
});

test("a load the configuration does not allow opens the form with the error at its field", async () => {
  studio.plugins = [{ ...base, state: "inactive" }];
  const errors = [{ pointer: "/limit", message: "is too small" }];
  studio.replies["POST /api/plugins/load"] = [problem(422, "config_invalid", { errors }), ok(base)];
  open();
  await screen.findByTestId("plugin-row-calc");
  click("plugin-load-calc");
  const field = within(await screen.findByTestId("field-limit"));
  expect(field.getByRole("alert").textContent).toBe("is too small");
  fireEvent.change(field.getByRole("textbox"), { target: { value: "5" } });
  click("config-save");
  const config = { api_key: "********", limit: 5 };
  await waitFor(() => expect(studio.asked.at(-1)?.body).toEqual({ plugin_id: "calc", config }));
});

test("what is configured is sent whole, the secret as its mask", async () => {
  studio.replies["PUT /api/plugins/calc/config"] = [ok(base)];
  open();
  await screen.findByTestId("plugin-row-calc");
  click("plugin-configure-calc");
  fireEvent.change(within(screen.getByTestId("field-limit")).getByRole("textbox"), {
    target: { value: "7" },
  });
  click("config-save");
  await waitFor(() =>
    expect(studio.asked.at(-1)?.body).toEqual({ config: { api_key: "********", limit: 7 } }),
  );
  await waitFor(() => expect(screen.queryByTestId("config-save")).toBeNull());
});

test("a form opened right after saving starts from what was saved, not from a list that is older", async () => {
  const saved = { ...base, config: { api_key: "********", limit: 7 } };
  studio.replies["PUT /api/plugins/calc/config"] = [ok(saved)];
  open();
  await screen.findByTestId("plugin-row-calc");
  studio.listed = new Promise(() => undefined);
  click("plugin-configure-calc");
  click("config-save");
  await waitFor(() => expect(screen.queryByTestId("config-save")).toBeNull());
  click("plugin-configure-calc");
  const limit = within(screen.getByTestId("field-limit")).getByRole<HTMLInputElement>("textbox");
  expect(limit.value).toBe("7");
});

test("words and types narrow the list", async () => {
  studio.plugins = [base, { ...base, id: "md", name: "Markdown", type: "export", tags: [] }];
  open();
  await screen.findByTestId("plugin-row-md");
  fireEvent.change(screen.getByTestId("plugins-search"), { target: { value: "math" } });
  expect(screen.queryByTestId("plugin-row-md")).toBeNull();
  fireEvent.change(screen.getByTestId("plugins-search"), { target: { value: "" } });
  fireEvent.click(screen.getByRole("button", { name: "export" }));
  expect(screen.queryByTestId("plugin-row-calc")).toBeNull();
  expect(screen.getByTestId("plugin-row-md")).toBeTruthy();
});
