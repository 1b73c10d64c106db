import { act, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadBundled } from "@/test/bundled";
import { PluginMount, pluginManager } from "../pluginSystem";

const { host } = pluginManager;
const HELLO = { id: "p1", title: "Hello", text: "Say hello to {{name|Ada}} in {{language}}" };
const PLAIN = { id: "p2", title: "Plain", text: "Just this." };
const SHARED = { title: "Summarize", text: "Summarize this." };

interface Prompt {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

/** The plugin's Python half, at the boundary where the page calls it. */
let kept: Prompt[];
let refusal: string | undefined;
const calls: string[] = [];

async function call(_: string, method: string, kwargs: Readonly<Record<string, unknown>>): Promise<unknown> {
  calls.push(method);
  if (refusal) throw new Error(refusal);
  if (method === "list_prompts") return kept;
  if (method === "delete_prompt") {
    kept = kept.filter(({ id }) => id !== kwargs.prompt_id);
    return kept;
  }
  const before = kept.length;
  for (const prompt of kwargs.prompts as Prompt[]) {
    const saved = { ...prompt, id: prompt.id ?? `new-${kept.length}` };
    kept = [...kept.filter(({ id }) => id !== saved.id), saved];
  }
  return { prompts: kept, added: kept.length - before };
}

const inserted: string[] = [];
let undo: () => void;

beforeEach(async () => {
  kept = [HELLO, PLAIN];
  refusal = undefined;
  calls.length = inserted.length = 0;
  host.use({ call });
  undo = host.composer.on("insert", (text) => inserted.push(text));
  await loadBundled("prompt_library", ["chat-input/v1", "sidebar/v1"], { shared: [SHARED] });
});
afterEach(async () => {
  await act(() => pluginManager.unloadPlugin("prompt-library"));
  undo();
  host.draft.set("");
});

async function openPicker() {
  await act(async () => render(<PluginMount mountPoint="chat-input" />));
  await act(async () => fireEvent.click(screen.getByTestId("prompt-library")));
  return screen.getByRole("combobox");
}
const openSidebar = async () => {
  await act(async () => render(<PluginMount mountPoint="sidebar" />));
  screen.getByTestId<HTMLDetailsElement>("prompt-sidebar").open = true;
};
const press = (name: string | RegExp) =>
  act(async () => fireEvent.click(screen.getByRole("button", { name })));
const type = (label: string, value: string) =>
  fireEvent.change(screen.getByLabelText(label), { target: { value } });

test("a prompt is found by its words and put into the message", async () => {
  const search = await openPicker();
  expect(screen.getAllByRole("option")).toHaveLength(3);
  fireEvent.change(search, { target: { value: "just" } });
  fireEvent.keyDown(search, { key: "Enter" });
  expect(inserted).toEqual(["Just this."]);
  expect(screen.queryByRole("combobox")).toBeNull();
});

test("blanks are asked for, with what stands there at first", async () => {
  const search = await openPicker();
  fireEvent.keyDown(search, { key: "Enter" });
  const dialog = screen.getByRole("dialog", { name: "Hello" });
  type("language", "French");
  expect(dialog.textContent).toContain("Say hello to Ada in French");
  fireEvent.submit(within(dialog).getByRole("button", { name: "Insert" }).closest("form") as HTMLFormElement);
  expect(inserted).toEqual(["Say hello to Ada in French"]);
});

test("what is being written can be saved as a prompt", async () => {
  host.draft.set("Ask me three questions");
  await openPicker();
  await press("Save this message");
  type("Title", "Three questions");
  await press("Save");
  expect(kept.at(-1)).toMatchObject({ title: "Three questions", text: "Ask me three questions" });
});

test("a prompt is changed, deleted, and comes back", async () => {
  await openSidebar();
  await press("Edit Plain");
  type("Text", "Just that.");
  await press("Save");
  expect(kept.find(({ id }) => id === "p2")).toMatchObject({ text: "Just that." });
  await press("Delete Plain");
  expect(kept.map(({ id }) => id)).toEqual(["p1"]);
  await press("Undo");
  expect(kept.map(({ id }) => id)).toEqual(["p1", "p2"]);
});

test("prompts of a file are added, Open WebUI's as well", async () => {
  await openSidebar();
  const text = JSON.stringify([
    { command: "/poem", title: "Poem", content: "Write a poem" },
    { title: "no text" },
  ]);
  const file = new File([text], "prompts.json");
  const input = screen.getByLabelText("File of prompts");
  await act(async () => fireEvent.change(input, { target: { files: [file] } }));
  await screen.findByText("1 prompt added.");
  expect(kept.at(-1)).toMatchObject({ title: "Poem", text: "Write a poem" });
});

test("a file that is none is told in words", async () => {
  await openSidebar();
  const input = screen.getByLabelText("File of prompts");
  await act(async () => fireEvent.change(input, { target: { files: [new File(["?"], "x.json")] } }));
  expect(await screen.findByText("This file is no JSON.")).toBeTruthy();
});

test("what the studio refuses is said, and the dialog stays with what was written", async () => {
  await openSidebar();
  await press("New");
  type("Title", "One more");
  type("Text", "x");
  refusal = "you can keep 2: delete some first";
  await press("Save");
  expect(screen.getByRole("alert").textContent).toContain("you can keep 2");
  expect(screen.getByLabelText<HTMLInputElement>("Title").value).toBe("One more");
});

test("shared prompts are there when one's own cannot be read", async () => {
  refusal = "The studio does not answer.";
  await openPicker();
  expect(screen.getAllByRole("option")).toHaveLength(1);
  refusal = undefined;
  await press("Try again");
  expect(screen.getAllByRole("option")).toHaveLength(3);
});
