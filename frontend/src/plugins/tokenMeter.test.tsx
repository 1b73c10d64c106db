/** The bundled UI plugin, as its author ships it: plain JavaScript against React and the public SDK. */
import { resolve } from "node:path";
import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PluginMount, pluginManager } from "./pluginSystem";
import { instantiate } from "./remote";

const ENTRY = resolve(import.meta.dirname, "../../../installed_plugins/token_meter/ui/index.js");
const { host } = pluginManager;
const conversation = host.conversation.get();

beforeEach(async () => {
  const module = (await import(/* @vite-ignore */ ENTRY)) as { default?: unknown };
  await pluginManager.loadPlugin(instantiate(module), {}, { mounts: ["toolbar/v1"] });
  render(<PluginMount mountPoint="toolbar" />);
});

afterEach(async () => {
  await act(() => pluginManager.unloadPlugin("token-meter"));
  host.conversation.set(conversation);
});

const tokens = () => screen.getByTestId("token-meter-tokens").textContent;
const START = { conversation_id: "c1", message_id: "m1", model: "p/m" };
const USAGE = { prompt_tokens: 10, completion_tokens: 7, total_tokens: 17 };

test("it estimates while an answer comes, and counts when it has ended", () => {
  expect(tokens()).toBe("0 tokens");
  act(() => {
    host.tellChat("message.start", START);
    host.tellChat("delta", { content: "x".repeat(40) });
  });
  expect(tokens()).toBe("≈ 10 tokens");
  act(() => host.tellChat("message.end", { message_id: "m1", usage: USAGE }));
  expect(tokens()).toBe("7 tokens");
});

test("the details say what was used here and in the conversation", () => {
  act(() => {
    host.conversation.set({ ...conversation, id: "c1", messageCount: 2, usage: USAGE });
    host.tellChat("message.start", START);
    host.tellChat("message.end", { message_id: "m1", usage: USAGE });
  });
  fireEvent.click(screen.getByTestId("token-meter"));
  const details = screen.getByTestId("token-meter-details");
  expect(details.textContent).toContain("Prompt10");
  expect(details.textContent).toContain("Messages2");
  expect(details.textContent).toContain("Total17");
  fireEvent.keyDown(window, { key: "Escape" });
  expect(screen.queryByTestId("token-meter-details")).toBeNull();
});

test("another conversation begins at its own count", () => {
  act(() => host.conversation.set({ ...conversation, id: "c1" }));
  act(() => {
    host.tellChat("message.start", START);
    host.tellChat("message.end", { message_id: "m1", usage: USAGE });
  });
  act(() => host.conversation.set({ ...conversation, id: "c2", usage: { ...USAGE, total_tokens: 321 } }));
  expect(tokens()).toBe("321 tokens");
});
