import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { aPlugin } from "@/test/fakeStudio";
import { isUnsettled, settle } from "./settling";
import type { Plugin } from "./types";

const change = {
  generation: 2,
  cause: "reload",
  by: "ann",
  at: "2026-01-01T00:00:00Z",
  state: "starting",
} as const;
let looks: Plugin[];

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal(
    "fetch",
    async () => new Response(JSON.stringify(looks.length > 1 ? looks.shift() : looks[0])),
  );
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function settled(...seen: Plugin[]) {
  looks = seen;
  const data = aPlugin({ change });
  const done = settle(Promise.resolve({ data, status: 202, location: "/api/plugins/calc" }), "calc");
  done.catch(() => undefined); // it may fail before the test looks
  return done;
}

test("a change is over when its generation serves", async () => {
  const done = settled(aPlugin({ change }), aPlugin({ generation: 2 }));
  await vi.advanceTimersByTimeAsync(2_000);
  expect((await done).generation).toBe(2);
});

test("an older generation that goes on means that the change failed, and why", async () => {
  const fault = {
    code: "initialize_raised",
    title: "initialize raised",
    detail: "no ink",
    recoverable: true,
    hint: "",
    at: null,
  };
  const done = settled(aPlugin({ change }), aPlugin({ generation: 1, last_error: fault }));
  await vi.advanceTimersByTimeAsync(2_000);
  await expect(done).rejects.toMatchObject({ code: "initialize_raised", message: "no ink" });
});

test("installing packages is waited for however long it takes", async () => {
  const installing = aPlugin({ state: "installing", change: { ...change, state: "installing" } });
  const done = settled(installing);
  await vi.advanceTimersByTimeAsync(1_000_000);
  looks = [aPlugin({ generation: 2 })];
  await vi.advanceTimersByTimeAsync(2_000);
  expect((await done).generation).toBe(2);
});

test("what is under way is known by the state or by the change", () => {
  expect(isUnsettled(aPlugin())).toBe(false);
  expect(isUnsettled(aPlugin({ state: "draining" }))).toBe(true);
  expect(isUnsettled(aPlugin({ change }))).toBe(true);
});
