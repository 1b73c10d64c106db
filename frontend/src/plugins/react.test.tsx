import { act, fireEvent, render, screen } from "@testing-library/react";
import { type ReactNode, useState } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { PluginManager } from "./manager";
import { PluginManagerContext, PluginMount, useChatEvent, useConversation, useTheme } from "./react";
import type { IUIPlugin, UIComponent } from "./types";

let manager: PluginManager;

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  manager = new PluginManager();
});

const plugin = (id: string, component: UIComponent, mount = "toolbar"): IUIPlugin => ({
  metadata: { id, name: id.toUpperCase() },
  getComponent: () => component,
  getMountPoint: () => mount,
});

function Later() {
  const [on, setOn] = useState(false);
  if (on) throw new Error("too far");
  return (
    <button type="button" onClick={() => setOn(true)}>
      go
    </button>
  );
}

function Follower() {
  const [text, setText] = useState("");
  useChatEvent("delta", ({ content }) => setText((before) => before + content));
  return (
    <p data-testid="follower">
      {useConversation().title}/{useTheme()}/{text}
    </p>
  );
}

function show(children: ReactNode = <PluginMount mountPoint="toolbar" />) {
  return render(<PluginManagerContext value={manager}>{children}</PluginManagerContext>);
}

test("a plugin that throws becomes a chip that says so; its neighbour and the page go on", async () => {
  const crashed = vi.fn();
  manager.registerHook("plugin:crashed", crashed);
  await manager.loadPlugin(
    plugin("bad", () => {
      throw new Error("no moon");
    }),
  );
  await manager.loadPlugin(plugin("good", () => <i>fine</i>));
  show();
  expect(screen.getByRole("alert").textContent).toContain("BAD");
  expect(screen.getByRole("alert").textContent).toContain("no moon");
  expect(screen.getByText("fine")).toBeTruthy();
  expect(crashed).toHaveBeenCalledWith("bad", expect.objectContaining({ error: expect.any(Error) }));
});

test("Retry draws it again", async () => {
  let broken = true;
  await manager.loadPlugin(
    plugin("shaky", () => {
      if (broken) throw new Error("not yet");
      return <i>recovered</i>;
    }),
  );
  show();
  broken = false;
  fireEvent.click(screen.getByRole("button", { name: "Retry" }));
  expect(screen.getByText("recovered")).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
});

test("a crashed plugin that is swapped for a good one needs no Retry", async () => {
  await manager.loadPlugin(
    plugin("meter", () => {
      throw new Error("old bug");
    }),
  );
  show();
  await act(() => manager.reload("meter", { plugin: plugin("meter", () => <i>mended</i>) }));
  expect(screen.getByText("mended")).toBeTruthy();
});

test("a plugin crashing later, in an update, is caught as well", async () => {
  await manager.loadPlugin(plugin("later", Later));
  show();
  fireEvent.click(screen.getByText("go"));
  expect(screen.getByRole("alert").textContent).toContain("too far");
});

test("a component gets its configuration, its place and what surrounds it", async () => {
  const seen: unknown[] = [];
  const component: UIComponent = ({ config, mountPoint, slot, pluginId }) => {
    seen.push({ config, mountPoint, slot, pluginId });
    return null;
  };
  await manager.loadPlugin(plugin("copy", component, "message-actions"), { n: 1 });
  show(<PluginMount mountPoint="message-actions/v1" slot={{ message: "hi" }} />);
  expect(seen[0]).toEqual({
    config: { n: 1 },
    mountPoint: "message-actions",
    slot: { message: "hi" },
    pluginId: "copy",
  });
});

test("hooks follow the conversation, the theme and the stream", async () => {
  await manager.loadPlugin(plugin("follower", Follower));
  show();
  act(() => {
    manager.host.theme.set("dark");
    manager.host.conversation.set({ ...manager.host.conversation.get(), title: "Lisbon" });
    manager.host.tellChat("delta", { content: "a" });
    manager.host.tellChat("delta", { content: "b" });
  });
  expect(screen.getByTestId("follower").textContent).toBe("Lisbon/dark/ab");
});
