import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadBundled } from "@/test/bundled";
import { PluginMount, pluginManager } from "../pluginSystem";

const { host } = pluginManager;
const conversation = host.conversation.get();

beforeEach(async () => {
  await loadBundled("token_meter", ["toolbar/v1"]);
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

test("nothing is claimed about an answer that was not seen to come", () => {
  act(() => host.conversation.set({ ...conversation, id: "c1", messageCount: 2, usage: USAGE }));
  fireEvent.click(screen.getByTestId("token-meter"));
  const details = screen.getByTestId("token-meter-details");
  expect(details.textContent).not.toContain("Last answer");
  expect(details.textContent).toContain("Total17");
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

test.each([
  [null, null],
  [0.00312, "$0.0031"],
  [1.239, "$1.24"],
])("the conversation's cost of %s US dollars is shown as %s", (cost, shown) => {
  act(() => host.conversation.set({ ...conversation, id: "c1", cost }));
  expect(screen.queryByTestId("token-meter-cost")?.textContent ?? null).toBe(shown);
});
