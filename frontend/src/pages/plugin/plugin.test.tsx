import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Plugin } from "@/api/types";
import { keys, queryClient, refreshPlugins } from "@/app/wiring";
import {
  aPlugin,
  click,
  type FakeStudio,
  fakeStudio,
  MEMBER,
  OPERATOR,
  ok,
  page,
  press,
  problem,
  show,
} from "@/test/fakeStudio";
import { PluginPage } from "./PluginPage";

const at = "2026-05-05T10:00:00Z";
const newer = "a".repeat(64);
const older = "b".repeat(64);
let studio: FakeStudio;

beforeEach(() => {
  studio = fakeStudio();
});
afterEach(() => vi.unstubAllGlobals());

async function open(section: string, plugin: Plugin = aPlugin(), person = OPERATOR) {
  studio.plugins = [plugin];
  show(<PluginPage id="calc" section={section} person={person} />);
  return screen.findByRole("heading", { level: 1 });
}

test("the overview has the facts, and every part has an address of its own", async () => {
  await open("");
  expect(screen.getByText("MIT")).toBeTruthy();
  const parts = within(screen.getByRole("navigation", { name: "Parts of Calculator" }));
  const addresses = parts.getAllByRole("link").map((link) => link.getAttribute("href"));
  expect(addresses).toEqual([
    "/plugins/calc",
    "/plugins/calc/configuration",
    "/plugins/calc/versions",
    "/plugins/calc/dependencies",
    "/plugins/calc/nodes",
    "/plugins/calc/events",
  ]);
  expect(parts.getByText("Overview").getAttribute("aria-current")).toBe("page");
});

test("a member sees no part that manages, also not by its address", async () => {
  await open("versions", aPlugin(), MEMBER);
  expect(screen.queryByText("Configuration")).toBeNull();
  expect(screen.queryByText("Versions")).toBeNull();
  expect(screen.queryByRole("button", { name: /^(Unload|Reload|More)/ })).toBeNull();
  expect(screen.getByText("MIT")).toBeTruthy();
});

test("a plugin that is not there says so", async () => {
  studio.plugins = [];
  show(<PluginPage id="calc" section="" person={OPERATOR} />);
  expect(await screen.findByText("No such plugin")).toBeTruthy();
});

const versions = [
  { digest: newer, version: "1.1.0", serving: true, newest: true },
  { digest: older, version: "1.0.0", serving: false, newest: false },
].map((one) => ({ ...one, source: "folder", size_bytes: 2048, found_at: at, in_store: true }));
const releases = [
  { generation: 3, digest: newer, version: "1.1.0", committed_at: at, failure: null, serving: true },
  {
    generation: 2,
    digest: newer,
    version: "1.1.0",
    committed_at: null,
    failure: { code: "initialize_raised", detail: "no ink left" },
    serving: false,
  },
  { generation: 1, digest: older, version: "1.0.0", committed_at: at, failure: null, serving: false },
].map((one) => ({ ...one, cause: "reload", by: "ann", at }));
const plan = {
  action: "reload",
  possible: true,
  problem: null,
  changes: [
    {
      id: "units",
      action: "load",
      from: null,
      to: { version: "1.2.0", digest: "u" },
      because: [{ id: "calc", range: ">=1.1,<2", version: "1.0.0" }],
    },
    {
      id: "calc",
      action: "swap",
      from: { version: "1.1.0", digest: newer },
      to: { version: "1.0.0", digest: older },
      because: [],
    },
  ],
  explanation: [],
};

test("rolling back shows what it would do, does it, and can be undone", async () => {
  studio.shows["/api/plugins/calc/versions"] = ok({ versions, releases });
  studio.shows["/api/plugins/calc/plan"] = ok(plan);
  await open("versions");
  fireEvent.click(await screen.findByRole("button", { name: /^Roll back: 1.0.0/ }));
  expect(await screen.findByText(/from 1.1.0 to 1.0.0/)).toBeTruthy();
  expect(screen.getByText(/because Calculator 1.0.0 asks for/).textContent).toContain(">=1.1,<2");
  expect(studio.read.at(-1)).toBe(`/api/plugins/calc/plan?action=load&digest=${older}`);
  const answer = { ...aPlugin({ version: "1.0.0", generation: 4 }), old: { generation: 3, digest: newer } };
  studio.replies["POST /api/plugins/calc/rollback"] = [ok(answer), ok(answer)];
  click("rollback-confirm");
  fireEvent.click(await screen.findByText("Undo"));
  await screen.findByText("Calculator is as it was before.");
  expect(studio.asked.map(({ body }) => body)).toEqual([{ digest: older }, { generation: 3 }]);
});

test("the releases say who, when, and why one was taken back", async () => {
  studio.shows["/api/plugins/calc/versions"] = ok({ versions, releases });
  await open("versions");
  const failed = within(await screen.findByTestId("release-2"));
  expect(failed.getByText(/no ink left/)).toBeTruthy();
  expect(failed.getByText(/reloaded by ann/)).toBeTruthy();
  expect(failed.queryByRole("button")).toBeNull();
  const first = within(screen.getByTestId("release-1"));
  expect(first.getByRole("button", { name: "Roll back to generation 1" })).toBeTruthy();
  expect(first.getAllByText(/ago|last/)[0]?.getAttribute("title")).toMatch(/2026/);
});

test("what cannot be rolled back says why, and stays as it is", async () => {
  studio.shows["/api/plugins/calc/versions"] = ok({ versions, releases });
  const why = {
    code: "dependency_cycle",
    title: "A circle",
    detail: "",
    hint: "",
    path: ["calc", "units", "calc"],
  };
  studio.shows["/api/plugins/calc/plan"] = ok({ ...plan, possible: false, problem: why, changes: [] });
  await open("versions");
  fireEvent.click(await screen.findByRole("button", { name: /^Roll back: 1.0.0/ }));
  expect((await screen.findByRole("alert")).textContent).toBe("A circlecalc → units → calc");
  expect(screen.getByTestId<HTMLButtonElement>("rollback-confirm").disabled).toBe(true);
});

test("a rollback that fails tells it in its dialog", async () => {
  studio.shows["/api/plugins/calc/versions"] = ok({ versions, releases });
  studio.shows["/api/plugins/calc/plan"] = ok(plan);
  studio.replies["POST /api/plugins/calc/rollback"] = [problem(502, "initialize_raised")];
  await open("versions");
  fireEvent.click(await screen.findByRole("button", { name: /^Roll back: 1.0.0/ }));
  click("rollback-confirm");
  expect((await screen.findByRole("alert")).textContent).toContain("because initialize_raised");
});

const revisions = [
  { number: 3, current: true, undone: false, changed: ["/limit"] },
  { number: 2, current: false, undone: true, changed: ["/api_key"] },
  { number: 1, current: false, undone: false, changed: [] },
].map((one) => ({ ...one, at, by: "ann", cause: "config", generation: one.number, config_version: 1 }));

test("configurations of the past are compared side by side, secrets unseen", async () => {
  studio.shows["/api/plugins/calc/config/history"] = page(...revisions);
  studio.shows["/api/plugins/calc/config/compare"] = ok({
    from: 1,
    to: 3,
    changes: [
      { pointer: "/limit", kind: "changed", from: 5, to: 7 },
      { pointer: "/api_key", kind: "changed", from: "********", to: "********" },
      { pointer: "/retry/0", kind: "removed", from: "once" },
    ],
  });
  await open("configuration");
  fireEvent.click(await screen.findByRole("button", { name: "Compare configuration 1" }));
  const table = within(await screen.findByRole("table"));
  const cells = table.getAllByRole("row").map((row) => row.textContent);
  expect(cells).toEqual(["Setting#1#3", "~limit57", "~api_keya secretanother secret", "−retry › 0once"]);
  expect(studio.read.at(-1)).toBe("/api/plugins/calc/config/compare?from=1&to=3");
  fireEvent.change(screen.getByLabelText("From"), { target: { value: "2" } });
  await waitFor(() => expect(studio.read.at(-1)).toBe("/api/plugins/calc/config/compare?from=2&to=3"));
});

test("a configuration of the past comes back, and the undo brings today's back", async () => {
  studio.shows["/api/plugins/calc/config/history"] = page(...revisions);
  studio.replies["POST /api/plugins/calc/config/rollback"] = [ok(aPlugin()), ok(aPlugin())];
  await open("configuration");
  fireEvent.click(await screen.findByRole("button", { name: "Restore configuration 1" }));
  await screen.findByText(/Configuration 1 is back/);
  fireEvent.click(screen.getByText("Undo"));
  await waitFor(() => expect(studio.asked.map(({ body }) => body)).toEqual([{ number: 1 }, { number: 3 }]));
});

test("a configuration that does not fit any more says why above the list", async () => {
  studio.shows["/api/plugins/calc/config/history"] = page(...revisions);
  studio.replies["POST /api/plugins/calc/config/rollback"] = [problem(422, "config_invalid")];
  await open("configuration");
  fireEvent.click(await screen.findByRole("button", { name: "Restore configuration 1" }));
  expect((await screen.findByRole("alert")).textContent).toContain("because config_invalid");
});

test("what it needs, who needs it, and why it cannot be loaded", async () => {
  const why = {
    code: "dependency_incompatible",
    title: "A plugin this one depends on has the wrong version",
    detail: "units 1.0 is there.",
  };
  const reason = {
    id: "units",
    range: ">=2",
    by: "calc",
    by_version: "1.0.0",
    chosen: null,
    candidates: ["1.0"],
  };
  studio.shows["/api/plugins/calc/plan"] = ok({
    ...plan,
    possible: false,
    problem: why,
    changes: [],
    explanation: [{ ...reason, optional: false }],
  });
  await open(
    "dependencies",
    aPlugin({
      state: "blocked",
      dependencies: [{ id: "units", range: ">=2", optional: false, satisfied: false, version: null }],
      required_by: [{ id: "tutor", range: "", version: "2.0.0" }],
    }),
  );
  expect(screen.getByText("no version fits")).toBeTruthy();
  expect(screen.getByRole("link", { name: "tutor" }).getAttribute("href")).toBe(
    "/plugins/tutor/dependencies",
  );
  expect((await screen.findByRole("alert")).textContent).toContain("units 1.0 is there.");
  expect(within(screen.getByRole("table")).getByText("none fits")).toBeTruthy();
});

test("nodes that are away are marked as such", async () => {
  const node = {
    node: "n1",
    state: "active",
    generation: 2,
    committed: 2,
    digest: newer,
    pid: 7,
    started_at: at,
    restarts: 1,
    rss_bytes: 3_000_000,
    calls: 5,
    errors: 0,
    error: null,
    away: false,
    message: "",
  } as const;
  await open("nodes", aPlugin({ nodes: [node, { ...node, node: "n2", away: true }] }));
  const [here, gone] = screen.getAllByRole("listitem");
  expect(here?.textContent).toContain("generation 2 (proven)");
  expect(here?.textContent).toContain("2.9 MB");
  expect(within(gone as HTMLElement).getByText("away")).toBeTruthy();
});

test("what happened is listed in words", async () => {
  studio.shows["/api/plugins/calc/events"] = page(
    {
      id: 2,
      event: "plugin_failed",
      plugin_id: "calc",
      node: "n1",
      at,
      rolled_back_to: 1,
      detail: "signal 11",
    },
    { id: 1, event: "plugin_loaded", plugin_id: "calc", node: "n1", at, generation: 1, cause: "load" },
  );
  await open("events");
  const items = (await screen.findAllByRole("listitem")).map((item) => item.textContent);
  expect(items[0]).toMatch(/Failed rolled back to generation 1 · on n1signal 11$/);
  expect(items[1]).toMatch(/Loaded generation 1 · on n1$/);
});

test("a page of a plugin that somebody removed says so, and asks for nothing of it any more", async () => {
  studio.shows["/api/plugins/calc/versions"] = ok({ versions, releases });
  await open("versions");
  await screen.findByTestId("release-1");
  studio.plugins = [];
  studio.read.length = 0;
  refreshPlugins();
  expect(await screen.findByText("No such plugin")).toBeTruthy();
  await queryClient.invalidateQueries({ queryKey: keys.plugins });
  expect(studio.read.filter((path) => path.includes("/calc/"))).toEqual([]);
});

test("what a plugin's page shows is asked again when something happened", async () => {
  studio.shows["/api/plugins/calc/versions"] = ok({ versions, releases: [] });
  await open("versions");
  await screen.findByText("It has never been loaded.");
  studio.shows["/api/plugins/calc/versions"] = ok({ versions, releases });
  refreshPlugins();
  expect(await screen.findByTestId("release-1")).toBeTruthy();
});

test("keyboards reach everything: each button of a part is a real one with a name", async () => {
  studio.shows["/api/plugins/calc/versions"] = ok({ versions, releases });
  await open("versions");
  await screen.findByTestId("release-1");
  for (const button of screen.getAllByRole("button")) {
    const name = button.getAttribute("aria-label") ?? button.textContent;
    expect(name?.trim(), button.outerHTML).not.toBe("");
    expect(button.tagName).toBe("BUTTON");
  }
  press("More for Calculator");
  expect(screen.getByRole("menuitem", { name: "Unload and remove…" })).toBe(document.activeElement);
});
