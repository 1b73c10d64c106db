import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { aMessage, asked, loadBundled } from "@/test/bundled";
import { PluginMount, pluginManager } from "../pluginSystem";

const { host } = pluginManager;
const ANSWER = aMessage({ id: "a1", text: "# First\ntext\n```\n# no heading\n```\n## **Second**" });

async function show(config = {}) {
  await loadBundled("conversation_outline", ["sidebar/v1"], config);
  render(<PluginMount mountPoint="sidebar" />);
}

afterEach(async () => {
  await act(() => pluginManager.unloadPlugin("conversation-outline"));
  host.messages.set([]);
  localStorage.clear();
});

const lines = () => screen.getAllByRole("listitem", { hidden: true }).map((line) => line.textContent);

test("it lists the questions, and a click goes to one", async () => {
  const reveal = vi.fn();
  const undo = host.transcript.on("reveal", reveal);
  await show();
  expect(screen.queryByTestId("conversation-outline")).toBeNull();
  act(() => host.messages.set([asked("u1", "\nOne?\nmore"), ANSWER, asked("u2", "Two?")]));
  expect(lines()).toEqual(["One?", "Two?"]);
  fireEvent.click(screen.getByRole("button", { name: "Two?" }));
  expect(reveal).toHaveBeenCalledWith("u2");
  undo();
});

test("headings of answers, if wanted, without those in code", async () => {
  await show({ headings: true });
  act(() => host.messages.set([asked("u1", "One?"), ANSWER]));
  expect(lines()).toEqual(["One?", "First", "Second"]);
});

test("a long outline can be searched", async () => {
  await show({ filter_from: 3 });
  act(() => host.messages.set(["red", "green", "blue"].map((text, index) => asked(`u${index}`, text))));
  fireEvent.change(screen.getByLabelText("Find in the outline"), { target: { value: "GREE" } });
  expect(lines()).toEqual(["green"]);
});

test("that it is folded away is remembered", async () => {
  await show();
  act(() => host.messages.set([asked("u1", "One?"), asked("u2", "Two?")]));
  const outline = screen.getByTestId<HTMLDetailsElement>("conversation-outline");
  outline.open = false;
  await act(async () => fireEvent(outline, new Event("toggle")));
  await act(() => pluginManager.reload("conversation-outline"));
  await vi.waitFor(() =>
    expect(screen.getByTestId<HTMLDetailsElement>("conversation-outline").open).toBe(false),
  );
});

test("arrow keys move in it", async () => {
  await show();
  act(() => host.messages.set([asked("u1", "One?"), asked("u2", "Two?")]));
  screen.getByRole("button", { name: "One?" }).focus();
  fireEvent.keyDown(document.activeElement as Element, { key: "ArrowDown" });
  expect(document.activeElement?.textContent).toBe("Two?");
});
