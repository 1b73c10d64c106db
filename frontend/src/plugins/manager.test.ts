import { beforeEach, describe, expect, test, vi } from "vitest";
import { PluginManager, pluginIdOf } from "./manager";
import { parseMount } from "./mounts";
import type { IUIPlugin, PluginConfig, UIPluginContext } from "./types";
import { PLUGIN_EVENTS, PluginType } from "./types";

const nothing = () => null;

function plugin(id: string, more: Partial<IUIPlugin> = {}): IUIPlugin {
  return { metadata: { id }, getComponent: () => nothing, getMountPoint: () => "toolbar", ...more };
}

let manager: PluginManager;
let events: string[];
let errors: ReturnType<typeof vi.spyOn>;

beforeEach(() => {
  errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  manager = new PluginManager();
  events = [];
  for (const event of PLUGIN_EVENTS) manager.registerHook(event, (id) => events.push(`${event} ${id}`));
});

describe("loading", () => {
  test("gives the plugin a frozen copy of its configuration and a context", async () => {
    const seen: [PluginConfig, UIPluginContext][] = [];
    const config = { colour: "red" };
    await manager.loadPlugin(plugin("a", { initialize: (...args) => seen.push(args) }), config);
    expect(seen[0]?.[0]).toEqual(config);
    expect(Object.isFrozen(seen[0]?.[0])).toBe(true);
    expect(seen[0]?.[1].pluginId).toBe("a");
    expect(events).toEqual(["plugin:loading a", "plugin:loaded a"]);
  });

  test.each([
    ["returns false", () => false, "Its initialize() returned false."],
    [
      "throws",
      () => {
        throw new Error("no canvas");
      },
      "Its initialize() failed: no canvas",
    ],
    ["rejects", () => Promise.reject(new Error("offline")), "Its initialize() failed: offline"],
  ])("a plugin whose initialize %s is not mounted, and says why", async (_, initialize, message) => {
    await expect(manager.loadPlugin(plugin("a", { initialize }))).rejects.toThrow(message);
    expect(manager.getMounted("toolbar")).toEqual([]);
    expect(events).toEqual(["plugin:loading a", "plugin:failed a"]);
    expect(errors).toHaveBeenCalled();
  });

  test("a plugin that never gets ready fails, and can then be loaded again", async () => {
    vi.useFakeTimers();
    try {
      const stuck = manager.loadPlugin(plugin("a", { initialize: () => new Promise(() => undefined) }));
      const failed = expect(stuck).rejects.toThrow("it was not ready within 30 seconds");
      const next = manager.loadPlugin(plugin("a"));
      await vi.advanceTimersByTimeAsync(30_000);
      await failed;
      expect((await next).id).toBe("a");
    } finally {
      vi.useRealTimers();
    }
  });

  test("several places, several components", async () => {
    const [one, two] = [() => 1, () => 2];
    const both = {
      getMountPoint: () => ["toolbar", "sidebar/v1"],
      getComponent: (at?: string) => (at === "toolbar" ? one : two),
    };
    await manager.loadPlugin(plugin("a", both));
    expect(manager.getMounted("toolbar")[0]?.component).toBe(one);
    expect(manager.getMounted("sidebar")[0]?.component).toBe(two);
  });

  test("the manifest's mounts bound what the plugin may take", async () => {
    const load = manager.loadPlugin(plugin("a"), {}, { mounts: ["sidebar/v1"] });
    await expect(load).rejects.toThrow('It mounts at "toolbar", which its manifest does not name.');
  });
});

describe("swapping", () => {
  test("the old one stays mounted until the new one is ready, and is shut down after", async () => {
    const order: string[] = [];
    let ready: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const old = plugin("a", { shutdown: () => order.push("old shut down") });
    await manager.loadPlugin(old);
    const swap = manager.loadPlugin(plugin("a", { initialize: () => waiting }));
    expect(manager.getMounted("toolbar")[0]?.plugin.plugin).toBe(old);
    manager.subscribe(() => order.push("swapped"));
    ready();
    await swap;
    expect(order).toEqual(["swapped", "old shut down"]);
    expect(manager.getMounted("toolbar")).toHaveLength(1);
    expect(events.at(-1)).toBe("plugin:reloaded a");
  });

  test("a new one that fails leaves the old one where it is", async () => {
    const old = plugin("a");
    await manager.loadPlugin(old);
    await expect(manager.reload("a", { plugin: plugin("a", { initialize: () => false }) })).rejects.toThrow();
    expect(manager.getPlugin("a")?.plugin).toBe(old);
    expect(events).not.toContain("plugin:unloaded a");
  });

  test("reload runs shutdown and initialize of the same plugin again, with a new key", async () => {
    const calls: string[] = [];
    const again = plugin("a", { initialize: () => calls.push("up"), shutdown: () => calls.push("down") });
    await manager.loadPlugin(again);
    const [before] = manager.getMounted("toolbar");
    await manager.reload("a", { config: { n: 2 } });
    expect(calls).toEqual(["up", "down", "up"]);
    expect(manager.getMounted("toolbar")[0]?.key).not.toBe(before?.key);
    expect(manager.getPlugin("a")?.config).toEqual({ n: 2 });
  });

  test("reloading what is not loaded says so", async () => {
    await expect(manager.reload("ghost")).rejects.toThrow('UI plugin "ghost" is not loaded.');
  });
});

describe("unloading", () => {
  test("unmounts, shuts down, and ends the plugin's subscriptions", async () => {
    const heard: string[] = [];
    const shutdown = vi.fn();
    const initialize = (_: PluginConfig, { chat }: UIPluginContext) =>
      void chat.on("delta", ({ content }) => heard.push(content));
    await manager.loadPlugin(plugin("a", { initialize, shutdown }));
    manager.host.tellChat("delta", { content: "one" });
    expect(await manager.unloadPlugin("a")).toBe(true);
    manager.host.tellChat("delta", { content: "two" });
    expect(heard).toEqual(["one"]);
    expect(shutdown).toHaveBeenCalledOnce();
    expect(manager.getMounted("toolbar")).toEqual([]);
  });

  test("a shutdown that throws is logged; the plugin is gone all the same", async () => {
    await manager.loadPlugin(plugin("a", { shutdown: () => Promise.reject(new Error("stuck")) }));
    expect(await manager.unloadPlugin("a")).toBe(true);
    expect(errors).toHaveBeenCalledWith('shutdown() of UI plugin "a" failed', expect.any(Error));
  });

  test("unloading what is not loaded is no error", async () => {
    expect(await manager.unloadPlugin("ghost")).toBe(false);
  });
});

describe("hooks", () => {
  test("a hook that throws, or rejects, is logged and harms neither the load nor the other hooks", async () => {
    const rest = vi.fn();
    manager.registerHook("plugin:loaded", () => {
      throw new Error("bad hook");
    });
    manager.registerHook("plugin:loaded", () => Promise.reject(new Error("bad async hook")));
    manager.registerHook("plugin:loaded", rest);
    await manager.loadPlugin(plugin("a"));
    await Promise.resolve();
    expect(rest).toHaveBeenCalledWith("a", { pluginId: "a", source: "page" });
    expect(errors).toHaveBeenCalledTimes(2);
  });

  test("registerHook gives back its own undo", async () => {
    const hook = vi.fn();
    const undo = manager.registerHook("plugin:loaded", hook);
    undo();
    undo();
    await manager.loadPlugin(plugin("a"));
    expect(hook).not.toHaveBeenCalled();
  });
});

test("initialize runs what was registered, once", async () => {
  const start = vi.fn();
  manager.onInitialize(start);
  await Promise.all([manager.initialize(), manager.initialize()]);
  expect(start).toHaveBeenCalledOnce();
});

test("plugins are found by their type", async () => {
  await manager.loadPlugin(plugin("a"));
  await manager.loadPlugin(plugin("b", { metadata: { id: "b", type: PluginType.TOOL } }));
  expect(manager.getPluginsByType(PluginType.UI).map(({ id }) => id)).toEqual(["a"]);
  expect(manager.getPluginsByType(PluginType.TOOL).map(({ id }) => id)).toEqual(["b"]);
});

test("what is read twice without a change is the same array", async () => {
  await manager.loadPlugin(plugin("a"));
  expect(manager.getMounted("toolbar")).toBe(manager.getMounted("toolbar"));
  expect(manager.getPlugins()).toBe(manager.getPlugins());
});

test.each([
  ["MyPlugin", "my-plugin"],
  ["MyUIPlugin", "my-ui-plugin"],
  ["HTMLPanel2", "html-panel2"],
  ["Meter", "meter"],
])("class %s is plugin %s", (name, id) => {
  const made = {
    [name]: class implements IUIPlugin {
      getComponent = () => nothing;
      getMountPoint = () => "toolbar";
    },
  }[name];
  expect(made && pluginIdOf(new made())).toBe(id);
});

test("an object without an id is refused", () => {
  expect(() => pluginIdOf({ getComponent: () => nothing, getMountPoint: () => "toolbar" })).toThrow(
    "Give the plugin an id",
  );
});

test("a mount point of another version is refused", () => {
  expect(parseMount("toolbar/v1")).toBe("toolbar");
  expect(() => parseMount("toolbar/v2")).toThrow('"toolbar/v2" is not offered here');
});
