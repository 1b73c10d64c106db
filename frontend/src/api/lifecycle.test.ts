import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { followLifecycle } from "./lifecycle";

class FakeSource extends EventTarget {
  static readonly CLOSED = 2;
  static readonly made: FakeSource[] = [];
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(readonly url: string) {
    super();
    FakeSource.made.push(this);
  }

  close() {
    this.readyState = FakeSource.CLOSED;
  }

  say(name: string, data: unknown) {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
  }

  giveUp() {
    this.readyState = FakeSource.CLOSED;
    this.onerror?.();
  }
}

const onEvent = vi.fn();
const onOpen = vi.fn();
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", FakeSource);
  FakeSource.made.length = 0;
  onEvent.mockReset();
  onOpen.mockReset();
  stop = followLifecycle({ onEvent, onOpen });
});

afterEach(() => {
  stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const last = () => FakeSource.made.at(-1) as FakeSource;

test("events that the server no longer has are made up for by a look at everything", () => {
  FakeSource.made[0]?.say("gap", { last_event_id: 3, oldest: 9 });
  expect(onOpen).toHaveBeenCalledTimes(1);
  expect(onEvent).not.toHaveBeenCalled();
});

test("events come with their name and the plugin they are about", () => {
  last().say("plugin_loaded", { plugin_id: "calc", generation: 2 });
  expect(onEvent).toHaveBeenCalledWith({ event: "plugin_loaded", plugin_id: "calc", generation: 2 });
});

test("a broken connection is the browser's to mend; one it gave up is opened again, later each time", () => {
  last().onerror?.();
  vi.advanceTimersByTime(60_000);
  expect(FakeSource.made).toHaveLength(1);
  last().giveUp();
  vi.advanceTimersByTime(1_000);
  expect(FakeSource.made).toHaveLength(2);
  last().giveUp();
  vi.advanceTimersByTime(1_000);
  expect(FakeSource.made).toHaveLength(2);
  vi.advanceTimersByTime(1_000);
  expect(FakeSource.made).toHaveLength(3);
  last().onopen?.();
  expect(onOpen).toHaveBeenCalledOnce();
});

test("a tab nobody looks at lets its connection go, and takes it up when it is looked at", () => {
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  document.dispatchEvent(new Event("visibilitychange"));
  vi.advanceTimersByTime(60_000);
  expect(last().readyState).toBe(FakeSource.CLOSED);
  hidden.mockReturnValue(false);
  document.dispatchEvent(new Event("visibilitychange"));
  expect(FakeSource.made).toHaveLength(2);
});

test("after stopping nothing is opened any more", () => {
  const source = last();
  source.giveUp();
  stop();
  vi.advanceTimersByTime(60_000);
  expect(FakeSource.made).toEqual([source]);
});
