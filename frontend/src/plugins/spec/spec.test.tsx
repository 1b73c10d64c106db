/** Every TypeScript block of the specification, as written there, type-checked with the rest and run here. */
import { act, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { IUIPlugin, pluginManager, UIPluginError } from "@/plugins/pluginSystem";
import { ChatInterface } from "./blocks/mounting";
import { MyUIPlugin, PluginType } from "./blocks/uiPlugin";

const widget = (text: string, mount: string): IUIPlugin => ({
  metadata: { id: text },
  getComponent: () => () => <b>{text}</b>,
  getMountPoint: () => mount,
});

afterEach(async () => {
  for (const { id } of pluginManager.getPlugins()) await act(() => pluginManager.unloadPlugin(id));
});

test("a class with getComponent and getMountPoint is a UI plugin, and shows itself at its place", async () => {
  const plugin = new MyUIPlugin();
  expect(IUIPlugin.is(plugin)).toBe(true);
  const loaded = await pluginManager.loadPlugin(plugin);
  expect(loaded.id).toBe("my-ui-plugin");
  expect(loaded.type).toBe(PluginType.UI);
  expect(pluginManager.getMounted("sidebar").map((entry) => entry.plugin.id)).toEqual(["my-ui-plugin"]);
});

test("initialize, load with a configuration, get by type, unload by the name of the class", async () => {
  const { calls, myPlugin, uiPlugins } = await import("./blocks/usingIt");
  expect(uiPlugins.map(({ id, plugin }) => [id, plugin])).toEqual([["my-plugin", myPlugin]]);
  expect(calls).toEqual([["initialize", { apiKey: "secret-key" }], ["shutdown"]]);
  expect(pluginManager.getPlugin("my-plugin")).toBeUndefined();
});

test("mount points render what is loaded there, and follow loading and unloading", async () => {
  await pluginManager.loadPlugin(widget("meter", "toolbar"));
  render(<ChatInterface />);
  expect(screen.getByTestId("mount-toolbar").textContent).toBe("meter");
  expect(screen.getByTestId("mount-chat-input").textContent).toBe("");
  await act(() => pluginManager.loadPlugin(widget("emoji", "chat-input/v1")));
  expect(screen.getByTestId("mount-chat-input").textContent).toBe("emoji");
  await act(() => pluginManager.unloadPlugin("meter"));
  expect(screen.getByTestId("mount-toolbar").textContent).toBe("");
});

test("hooks hear of loading and unloading, with the plugin's id", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  await import("./blocks/hooks");
  await pluginManager.loadPlugin(widget("meter", "toolbar"));
  await pluginManager.unloadPlugin("meter");
  expect(log.mock.calls).toEqual([["Plugin loaded: meter"], ["Plugin unloaded: meter"]]);
});

test("a place that does not exist is refused by name", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const load = pluginManager.loadPlugin(widget("lost", "basement"));
  await expect(load).rejects.toThrow(UIPluginError);
  await expect(load).rejects.toThrow('There is no mount point "basement". Known: toolbar, sidebar');
});
