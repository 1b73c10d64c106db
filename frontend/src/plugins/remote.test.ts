import { beforeEach, expect, test, vi } from "vitest";
import { PluginManager } from "./manager";
import { instantiate, type RemotePlugin, RemotePlugins } from "./remote";
import type { IUIPlugin } from "./types";

const remotePlugin = (digest: string, more: Partial<RemotePlugin> = {}): RemotePlugin => ({
  id: "meter",
  name: "Meter",
  version: "1.0.0",
  digest,
  generation: 1,
  config: {},
  ui: { entry: `/plugin-assets/meter/${digest}/index.js`, mounts: ["toolbar/v1"], isolation: "page" },
  ...more,
});

const moduleOf = (text: string, more: Partial<IUIPlugin> = {}) => ({
  default: { getComponent: () => () => text, getMountPoint: () => "toolbar", ...more },
});

let manager: PluginManager;
let modules: Record<string, { default?: unknown }>;
let importModule: (url: string) => Promise<{ default?: unknown }>;
let remote: RemotePlugins;

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  manager = new PluginManager();
  modules = {};
  importModule = vi.fn(async (url: string) => {
    const module = modules[url];
    if (!module) throw new TypeError(`Failed to fetch ${url}`);
    return module;
  });
  const frame = (framed: RemotePlugin) => moduleOf(`frame of ${framed.id}`).default;
  remote = new RemotePlugins(manager, { importModule, frame });
});

const shown = () => manager.getMounted("toolbar").map(({ component }) => (component as () => string)());

test("an active plugin is imported from its entry and mounted under the server's id", async () => {
  modules["/plugin-assets/meter/d1/index.js"] = moduleOf("one");
  await remote.sync([remotePlugin("d1", { config: { unit: "k" } })]);
  expect(shown()).toEqual(["one"]);
  expect(manager.getPlugin("meter")).toMatchObject({
    name: "Meter",
    version: "1.0.0",
    config: { unit: "k" },
  });
});

test("a new digest is a new module, swapped in; the same one is left alone", async () => {
  modules["/plugin-assets/meter/d1/index.js"] = moduleOf("one");
  modules["/plugin-assets/meter/d2/index.js"] = moduleOf("two");
  const heard: string[] = [];
  manager.registerHook("plugin:reloaded", (id) => heard.push(id));
  await remote.sync([remotePlugin("d1")]);
  await remote.sync([remotePlugin("d1")]);
  expect(importModule).toHaveBeenCalledTimes(1);
  await remote.sync([remotePlugin("d2", { generation: 2 })]);
  expect(shown()).toEqual(["two"]);
  expect(heard).toEqual(["meter"]);
});

test("a new digest that does not import leaves the old one mounted, and is told", async () => {
  modules["/plugin-assets/meter/d1/index.js"] = moduleOf("one");
  const failed = vi.fn();
  manager.registerHook("plugin:failed", failed);
  await remote.sync([remotePlugin("d1")]);
  await remote.sync([remotePlugin("d2")]);
  expect(shown()).toEqual(["one"]);
  expect(failed).toHaveBeenCalledWith("meter", expect.objectContaining({ error: expect.any(TypeError) }));
});

test("what failed is not tried again until something about it changes", async () => {
  await remote.sync([remotePlugin("d1")]);
  await remote.sync([remotePlugin("d1")]);
  expect(importModule).toHaveBeenCalledTimes(1);
  modules["/plugin-assets/meter/d1/index.js"] = moduleOf("one");
  await remote.sync([remotePlugin("d1", { generation: 2 })]);
  expect(shown()).toEqual(["one"]);
});

test("a plugin the server no longer has is unmounted; one between two states stays", async () => {
  modules["/plugin-assets/meter/d1/index.js"] = moduleOf("one");
  await remote.sync([remotePlugin("d1")]);
  await remote.sync([], ["meter"]);
  expect(shown()).toEqual(["one"]);
  await remote.sync([]);
  expect(shown()).toEqual([]);
  expect(remote.has("meter")).toBe(false);
});

test("one that fails does not keep the others away", async () => {
  modules["/plugin-assets/clock/d1/index.js"] = moduleOf("clock");
  const clock = remotePlugin("d1", { id: "clock" });
  const ui = { ...clock.ui, entry: "/plugin-assets/clock/d1/index.js" };
  await remote.sync([remotePlugin("d1"), { ...clock, ui }]);
  expect(shown()).toEqual(["clock"]);
});

test("an isolated plugin is never imported into the page", async () => {
  const { ui } = remotePlugin("d1");
  await remote.sync([remotePlugin("d1", { ui: { ...ui, isolation: "iframe" } })]);
  expect(importModule).not.toHaveBeenCalled();
  expect(shown()).toEqual(["frame of meter"]);
});

test("syncs that overlap end with what was asked last", async () => {
  modules["/plugin-assets/meter/d1/index.js"] = moduleOf("one");
  modules["/plugin-assets/meter/d2/index.js"] = moduleOf("two");
  await Promise.all([remote.sync([remotePlugin("d1")]), remote.sync([]), remote.sync([remotePlugin("d2")])]);
  expect(shown()).toEqual(["two"]);
});

test("a module may export a class", () => {
  class Meter implements IUIPlugin {
    getComponent = () => () => null;
    getMountPoint = () => "toolbar";
  }
  expect(instantiate({ default: Meter })).toBeInstanceOf(Meter);
});

test.each([
  [{}, "Its entry module has no default export."],
  [{ default: 7 }, "Its default export is neither a class nor an object with getComponent()."],
  [{ default: class {} }, "Its default export is a class without getComponent()."],
  [
    {
      default: class {
        constructor() {
          throw new Error("no");
        }
      },
    },
    "Its default export could not be constructed: no",
  ],
])("a module that is no plugin says what is wrong %#", (module, message) => {
  expect(() => instantiate(module)).toThrow(message);
});
