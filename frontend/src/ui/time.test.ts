import { expect, test } from "vitest";
import { clockTime, exactTime, relativeTime } from "./time";

const now = Date.parse("2026-05-05T12:00:00Z");
const ago = (seconds: number) => relativeTime(new Date(now - seconds * 1000).toISOString(), now);

test("how long ago something was, in the largest unit that fits", () => {
  expect([1, 20, 90, 7_000, 90_000, 400 * 86_400].map(ago)).toEqual([
    "just now",
    "20 seconds ago",
    "1 minute ago",
    "1 hour ago",
    "yesterday",
    "last year",
  ]);
  expect([-40, -3 * 86_400].map(ago)).toEqual(["in 40 seconds", "in 3 days"]);
});

test("the exact moment names its time zone; the clock leaves out today's date", () => {
  const noon = new Date(2026, 4, 5, 12, 0, 0);
  expect(exactTime(noon.toISOString())).toMatch(/2026.*12:00:00.*(UTC|GMT|[A-Z]{2,5})/);
  expect(clockTime(noon.toISOString(), noon)).not.toMatch(/2026/);
  expect(clockTime(noon.toISOString(), new Date(2026, 4, 9))).toMatch(/2026/);
});

test("what is no time is shown as nothing", () => {
  expect([relativeTime("soon"), exactTime("soon")]).toEqual(["", ""]);
});
