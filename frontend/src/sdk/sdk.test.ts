import * as React from "react";
import * as jsxRuntime from "react/jsx-runtime";
import * as ReactDOM from "react-dom";
import { expect, test } from "vitest";
import * as system from "@/plugins/pluginSystem";
import * as ownSystem from "./pluginSystem";
import * as ownReact from "./react";
import * as ownDOM from "./react-dom";
import * as ownRuntime from "./react-jsx-runtime";

/** What React itself calls unstable or internal, or has only in development, is not lent on. */
const isPublic = (name: string) =>
  !/^(__|unstable_|default$|browser$|act$|captureOwnerStack$|module\.exports$)/.test(name);

test.each([
  ["react", React, ownReact],
  ["react/jsx-runtime", jsxRuntime, ownRuntime],
  ["react-dom", ReactDOM, ownDOM],
  ["@/plugins/pluginSystem", system, ownSystem],
] as const)("the page lends on all of %s, and the very same", (_, theirs, ours) => {
  const all = theirs as Record<string, unknown>;
  const lent = ours as Record<string, unknown>;
  const names = Object.keys(all).filter(isPublic);
  expect(Object.keys(lent).filter(isPublic).sort()).toEqual(names.sort());
  for (const name of names) expect(lent[name]).toBe(all[name]);
});
