import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadBundled } from "@/test/bundled";
import { PluginMount, pluginManager } from "../pluginSystem";

const { host } = pluginManager;

/** The browser's recognizer, as far as it is used; the test is the one who speaks. */
class FakeRecognition {
  static current: FakeRecognition;
  lang = "";
  interimResults = false;
  continuous = false;
  onstart?: () => void;
  onresult?: (event: { resultIndex: number; results: unknown[] }) => void;
  onerror?: (event: { error: string }) => void;
  onend?: () => void;

  constructor() {
    FakeRecognition.current = this;
  }

  start() {
    this.onstart?.();
  }

  stop() {
    this.onend?.();
  }

  abort() {}

  hear(transcript: string, isFinal: boolean) {
    this.onresult?.({ resultIndex: 0, results: [Object.assign([{ transcript }], { isFinal })] });
  }
}

const inserted: string[] = [];
let undo: () => void;

beforeEach(() => {
  inserted.length = 0;
  undo = host.composer.on("insert", (text) => inserted.push(text));
});
afterEach(async () => {
  await act(() => pluginManager.unloadPlugin("voice-input"));
  undo();
  host.draft.set("");
  localStorage.clear();
  vi.unstubAllGlobals();
});

async function show(config = {}) {
  await loadBundled("voice_input", ["chat-input/v1"], config);
  render(<PluginMount mountPoint="chat-input" />);
}
const mic = () => screen.getByTestId("voice-input");

test("what is said is written where the cursor is, what is only guessed is shown", async () => {
  vi.stubGlobal("webkitSpeechRecognition", FakeRecognition);
  await show({ language: "de-DE", languages: ["de-DE", "fr-FR"] });
  fireEvent.click(mic());
  expect(FakeRecognition.current).toMatchObject({ lang: "de-DE", interimResults: true, continuous: true });
  act(() => FakeRecognition.current.hear("guten", false));
  expect(screen.getByRole("status").textContent).toBe("guten");
  act(() => FakeRecognition.current.hear("Guten Tag.", true));
  host.draft.set("Guten Tag.");
  act(() => FakeRecognition.current.hear("Wie geht es?", true));
  expect(inserted).toEqual(["Guten Tag.", " Wie geht es?"]);
  fireEvent.keyDown(mic(), { key: "Escape" });
  expect(mic().getAttribute("aria-pressed")).toBe("false");
});

test.each([
  ["not-allowed", "The microphone is not allowed here"],
  ["audio-capture", "No microphone was found"],
  ["network", "The speech service did not answer"],
  ["strange", "Dictation stopped"],
])("the browser's %s is said in words: %s", async (error, words) => {
  vi.stubGlobal("SpeechRecognition", FakeRecognition);
  await show();
  fireEvent.click(mic());
  act(() => FakeRecognition.current.onerror?.({ error }));
  expect(screen.getByRole("alert").textContent).toContain(words);
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(mic().getAttribute("aria-pressed")).toBe("true");
});

test("a browser that cannot do it says so when asked", async () => {
  await show();
  expect(mic().getAttribute("data-status")).toBe("unsupported");
  fireEvent.click(mic());
  expect(screen.getByRole("alert").textContent).toContain("cannot take dictation");
  expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
});

test("a page that is not secure gets no microphone, and says why", async () => {
  vi.stubGlobal("SpeechRecognition", FakeRecognition);
  vi.stubGlobal("isSecureContext", false);
  await show();
  fireEvent.click(mic());
  expect(screen.getByRole("alert").textContent).toContain("needs a secure address");
});

test("the language one chooses is remembered", async () => {
  vi.stubGlobal("SpeechRecognition", FakeRecognition);
  await show({ languages: ["en-US", "fr-FR"] });
  fireEvent.click(screen.getByRole("button", { name: /^Language/ }));
  await act(async () => fireEvent.click(screen.getByRole("option", { name: /français/i })));
  await act(() => pluginManager.reload("voice-input"));
  await vi.waitFor(() => expect(screen.getByRole("button", { name: /Language: .*français/i })).toBeTruthy());
});
