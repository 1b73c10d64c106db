import { act, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ChatToolCall } from "@/plugins/types";
import { aMessage, asked, loadBundled } from "@/test/bundled";
import { PluginMount, pluginManager } from "../pluginSystem";

const { host } = pluginManager;
const CALL: ChatToolCall = {
  id: "t1",
  name: "calculator__evaluate",
  pluginId: "calculator",
  action: "evaluate",
  arguments: { expression: "6*7" },
  status: "done",
  result: { value: 42, steps: [{ op: "*" }] },
  durationMs: 1_240,
};
const FAILED: ChatToolCall = {
  ...CALL,
  id: "t2",
  action: "odds",
  status: "failed",
  error: { detail: "no dice" },
};

beforeEach(async () => {
  await loadBundled("tool_inspector", ["right-panel/v1"]);
  render(<PluginMount mountPoint="right-panel" />);
});
afterEach(async () => {
  await act(() => pluginManager.unloadPlugin("tool-inspector"));
  host.messages.set([]);
});

const say = (...toolCalls: ChatToolCall[]) =>
  act(() => host.messages.set([asked("u1", "What is 6*7?"), aMessage({ id: "a1", toolCalls })]));
const open = (call: HTMLElement) => {
  (call as HTMLDetailsElement).open = true;
  fireEvent(call, new Event("toggle"));
};

test("without tool calls it says what will be there", () => {
  expect(screen.getByTestId("tool-inspector").textContent).toContain("No tool has been used");
});

test("a call shows what was asked, what came back and how long it took", () => {
  say(CALL);
  const call = screen.getByTestId("inspected-call");
  expect(call.textContent).toContain("calculator evaluate");
  expect(call.textContent).toContain("1.2 s");
  open(call);
  expect(screen.getByRole("region", { name: "Arguments" }).textContent).toContain("expression:6*7");
  const result = screen.getByRole("region", { name: "Result" });
  expect(result.textContent).toContain("value:42");
  expect(result.textContent).not.toContain("op:");
  fireEvent.click(within(result).getByRole("button", { name: /steps/, expanded: false }));
  expect(within(result).getByRole("button", { name: /0:/ })).toBeTruthy();
});

test("only the failed ones, with their errors", () => {
  say(CALL, FAILED);
  fireEvent.click(screen.getByRole("button", { name: "1 failed" }));
  const call = screen.getByTestId("inspected-call");
  open(call);
  expect(screen.getByRole("region", { name: "Error" }).textContent).toContain("no dice");
});

test("a call that runs is there before its result", () => {
  say({ ...CALL, status: "running", durationMs: null });
  expect(screen.getByTestId("inspected-call").textContent).toContain("Running");
});

test("a value is copied as JSON", async () => {
  const writeText = vi.fn(async () => undefined);
  vi.stubGlobal("navigator", { ...navigator, clipboard: { writeText } });
  say(CALL);
  open(screen.getByTestId("inspected-call"));
  await act(async () => fireEvent.click(screen.getByRole("button", { name: "Copy arguments" })));
  expect(writeText).toHaveBeenCalledWith('{\n  "expression": "6*7"\n}');
  vi.unstubAllGlobals();
});

test("the question above the calls leads to the answer in the chat", () => {
  const reveal = vi.fn();
  const undo = host.transcript.on("reveal", reveal);
  say(CALL);
  fireEvent.click(screen.getByRole("button", { name: "What is 6*7?" }));
  expect(reveal).toHaveBeenCalledWith("a1");
  undo();
});
