import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Plugin } from "@/api/types";
import { untilNextLook } from "@/app/queries";
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
import { FakeUpload, fakeUploads, theUpload } from "@/test/fakeUpload";
import { PluginsPage } from "./PluginsPage";

const at = new Date().toISOString();
const idle = aPlugin({ state: "available", generation: null });
let studio: FakeStudio;

beforeEach(() => {
  studio = fakeStudio();
  fakeUploads();
});
afterEach(() => vi.unstubAllGlobals());

async function open(plugin: Plugin = aPlugin(), person = OPERATOR) {
  studio.plugins = [plugin];
  show(<PluginsPage person={person} />);
  return within(await screen.findByTestId("plugin-row-calc"));
}

function choose(name: string, content = "zip") {
  click("plugins-install");
  fireEvent.change(screen.getByTestId("install-file"), { target: { files: [new File([content], name)] } });
}

const menu = (item: string) => {
  press("More for Calculator");
  fireEvent.click(screen.getByRole("menuitem", { name: item }));
};

test("a package is sent, its progress shown, and the plugin loaded from the result", async () => {
  await open(idle);
  choose("calc.zip");
  expect(theUpload().url).toBe("/api/plugins/install");
  expect(theUpload().fileName).toBe("calc.zip");
  theUpload().sent(30, 60);
  expect((await screen.findByText("50 % sent")).tagName).toBe("P");
  expect(screen.getByRole<HTMLProgressElement>("progressbar").value).toBe(0.5);
  theUpload().answer({
    status: 201,
    body: { ...idle, installed: { digest: "d2", version: "1.1.0", replaced: null } },
  });
  expect(await screen.findByText("Calculator 1.1.0 is installed.")).toBeTruthy();
  studio.replies["POST /api/plugins/load"] = [ok(aPlugin())];
  press(/Load now/);
  await waitFor(() => expect(screen.queryByTestId("install-done")).toBeNull());
  expect(studio.asked.at(-1)?.body).toEqual({ plugin_id: "calc" });
});

test("a new version of what is loaded is swapped in", async () => {
  await open();
  choose("calc.tar.gz");
  theUpload().answer({
    status: 201,
    body: { ...aPlugin(), installed: { digest: "d2", version: "1.1.0", replaced: "d1" } },
  });
  studio.replies["POST /api/plugins/calc/reload"] = [
    ok({ ...aPlugin({ generation: 2 }), old: null, new: null }),
  ];
  fireEvent.click(await screen.findByRole("button", { name: /Swap to it now/ }));
  await waitFor(() =>
    expect(studio.asked.map(({ call }) => call)).toEqual(["POST /api/plugins/calc/reload"]),
  );
});

test("a package that the studio refuses is told where it was chosen, and another can be", async () => {
  await open();
  choose("calc.zip");
  theUpload().answer(problem(422, "package_invalid", { detail: "It has no plugin.py.", hint: "Add one." }));
  expect((await screen.findByRole("alert")).textContent).toContain("It has no plugin.py. Add one.");
  expect(screen.getByRole("button", { name: "choose another" })).toBeTruthy();
});

test("what is no package is not sent at all", async () => {
  await open();
  choose("notes.txt");
  expect((await screen.findByRole("alert")).textContent).toContain("neither a .zip nor a .tar.gz");
  expect(FakeUpload.made).toHaveLength(0);
});

test("a file dropped onto the page is installed", async () => {
  await open();
  const dataTransfer = { types: ["Files"], files: [new File(["x"], "calc.zip")] };
  fireEvent.dragOver(window, { dataTransfer });
  expect(screen.getByText("Drop the package to install it")).toBeTruthy();
  fireEvent.drop(window, { dataTransfer });
  expect(screen.queryByText("Drop the package to install it")).toBeNull();
  expect(theUpload().fileName).toBe("calc.zip");
});

const change = { generation: 2, cause: "load", by: "ann", at, state: "installing" } as const;
const environment = {
  status: "installing",
  fraction: 0.25,
  message: "Installing numpy",
  error: "",
  size_bytes: null,
} as const;

test("packages on their way: a bar, its words, and a way to stop", async () => {
  const row = await open({ ...idle, state: "installing", change, environment });
  expect(row.getByText(/Installing numpy, 25 %/)).toBeTruthy();
  expect(row.getByRole<HTMLProgressElement>("progressbar").value).toBe(0.25);
  studio.replies["POST /api/plugins/calc/cancel"] = [ok(idle)];
  studio.plugins = [idle];
  click("plugin-cancel-calc");
  await waitFor(() => expect(screen.queryByRole("progressbar")).toBeNull());
});

test("a member sees how far it is and cannot stop it", async () => {
  const row = await open({ ...idle, state: "installing", change, environment }, MEMBER);
  expect(row.getByText(/Installing numpy/)).toBeTruthy();
  expect(screen.queryByTestId("plugin-cancel-calc")).toBeNull();
});

test("why a swap takes long, and that a new generation is on trial", async () => {
  const slow = {
    ...aPlugin(),
    change: { ...change, state: "starting" as const },
    message: "initialize: 12 s",
  };
  const row = await open(slow);
  expect(row.getByText(/initialize: 12 s/)).toBeTruthy();
  expect(row.getByText("swapping…")).toBeTruthy();
});

test("on trial until then; rolled back by itself, and why", async () => {
  const fault = { code: "soak_failed", title: "It did not survive", detail: "signal 11", recoverable: true };
  const row = await open(
    aPlugin({
      soak: { generation: 2, until: new Date(Date.now() + 20_000).toISOString() },
      last_error: { ...fault, hint: "", at },
    }),
  );
  expect(row.getByText(/On trial until/)).toBeTruthy();
  const note = within(row.getByRole("note"));
  expect(note.getByText("Rolled back by itself")).toBeTruthy();
  expect(note.getByText("signal 11")).toBeTruthy();
});

test("the list is asked again while something goes on, and when a trial ends", () => {
  const now = Date.now();
  const until = new Date(now + 9_000).toISOString();
  expect(untilNextLook([aPlugin()], now)).toBe(false);
  expect(untilNextLook([aPlugin({ change })], now)).toBe(1_500);
  expect(untilNextLook([aPlugin({ soak: { generation: 2, until } })], now)).toBe(9_500);
});

test("removing is undone by restoring", async () => {
  await open(idle);
  studio.replies["DELETE /api/plugins/calc"] = [{ status: 204 }];
  studio.replies["POST /api/plugins/calc/restore"] = [ok(idle)];
  studio.plugins = [];
  menu("Remove");
  await waitFor(() => expect(screen.queryByTestId("plugin-row-calc")).toBeNull());
  studio.plugins = [idle];
  fireEvent.click(await screen.findByText("Undo"));
  expect(await screen.findByTestId("plugin-row-calc")).toBeTruthy();
  expect(studio.asked.map(({ call }) => call)).toEqual([
    "DELETE /api/plugins/calc",
    "POST /api/plugins/calc/restore",
  ]);
});

test("what is loaded is unloaded before it is removed, and loaded again by the undo", async () => {
  await open();
  studio.replies["POST /api/plugins/calc/unload"] = [ok(idle)];
  studio.replies["DELETE /api/plugins/calc"] = [{ status: 204 }];
  studio.replies["POST /api/plugins/calc/restore"] = [ok(idle)];
  studio.replies["POST /api/plugins/load"] = [ok(aPlugin())];
  menu("Unload and remove…");
  click("remove-confirm");
  fireEvent.click(await screen.findByText("Undo"));
  await screen.findByText("Calculator is back and loaded.");
  expect(studio.asked.map(({ call }) => call)).toEqual([
    "POST /api/plugins/calc/unload",
    "DELETE /api/plugins/calc",
    "POST /api/plugins/calc/restore",
    "POST /api/plugins/load",
  ]);
});

test("removing what others need names them and takes them along", async () => {
  await open(aPlugin({ required_by: [{ id: "tutor", range: ">=1", version: "2.0.0" }] }));
  studio.replies["POST /api/plugins/calc/unload"] = [ok(idle)];
  studio.replies["DELETE /api/plugins/calc"] = [{ status: 204 }];
  menu("Unload and remove…");
  expect(within(screen.getByRole("list", { name: "Plugins that need it" })).getByText("tutor")).toBeTruthy();
  click("unload-cascade");
  await screen.findByText("Calculator is removed.");
  expect(studio.asked[0]?.body).toEqual({ cascade: true });
});

test("what was removed is listed and comes back", async () => {
  const gone = { id: "old", name: "Old tool", version: "0.9.0", removed_at: at, forgotten_at: at };
  studio.shows["/api/plugins/removed"] = page(gone);
  await open();
  expect(await screen.findByText("Removed plugins (1)")).toBeTruthy();
  studio.replies["POST /api/plugins/old/restore"] = [ok(aPlugin({ id: "old" }))];
  studio.shows["/api/plugins/removed"] = page();
  press("Restore Old tool");
  await waitFor(() => expect(screen.queryByTestId("removed-plugins")).toBeNull());
});

test("a load that dependencies forbid leads to the page that shows why", async () => {
  await open(idle);
  studio.replies["POST /api/plugins/load"] = [problem(409, "dependency_cycle", { path: ["a", "b", "a"] })];
  click("plugin-load-calc");
  fireEvent.click(await screen.findByText("Show why"));
  expect(location.pathname).toBe("/plugins/calc/dependencies");
});
