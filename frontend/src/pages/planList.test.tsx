import { screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PlannedChange } from "@/api/shapes";
import { fakeStudio, show } from "@/test/fakeStudio";
import { PlanList } from "./PlanList";

const version = (text: string) => ({ version: text, digest: text.repeat(9) });
const of = (id: string, range = "", at = "1.0") => ({ id, range, version: at });

beforeEach(() => void fakeStudio());
afterEach(() => vi.unstubAllGlobals());

function told(...changes: PlannedChange[]) {
  show(<PlanList changes={changes} />);
  return screen.getAllByRole("listitem").map((item) => item.textContent);
}

test("what is loaded says who asks for it, and in which range", () => {
  expect(
    told(
      { id: "b", action: "load", from: null, to: version("1.2"), because: [of("a", ">=1.1,<2"), of("c")] },
      { id: "a", action: "load", from: null, to: version("1.0"), because: [] },
    ),
  ).toEqual(["Load b 1.2because a 1.0 asks for >=1.1,<2 and c 1.0 asks for any version", "Load a 1.0"]);
});

test("what goes along with a plugin it needs says so", () => {
  expect(
    told(
      { id: "b", action: "swap", from: version("1.0"), to: version("2.0"), because: [] },
      { id: "a", action: "swap", from: version("1.0"), to: version("1.1"), because: [of("b", ">=2", "2.0")] },
      { id: "c", action: "keep", from: version("1.0"), to: version("1.0"), because: [of("b", ">=1", "2.0")] },
    ),
  ).toEqual([
    "Swap b from 1.0 to 2.0",
    "Swap a from 1.0 to 1.1because it needs b >=2",
    "Keep c 1.0because b 2.0 fits its >=1",
  ]);
});

test("what is unloaded first is what needs the others", () => {
  expect(
    told(
      { id: "a", action: "unload", from: version("1.0"), to: null, because: [of("b", ">=1")] },
      { id: "b", action: "unload", from: version("1.0"), to: null, because: [] },
    ),
  ).toEqual(["Unload a 1.0because it needs b >=1", "Unload b 1.0"]);
});

test("the same version is told apart by its files", () => {
  const other = { version: "1.0", digest: "other" };
  expect(
    told(
      { id: "a", action: "swap", from: version("1.0"), to: other, because: [] },
      { id: "b", action: "swap", from: other, to: other, because: [] },
    ),
  ).toEqual(["Swap a 1.0 to its other files", "Start b 1.0 anew"]);
});
