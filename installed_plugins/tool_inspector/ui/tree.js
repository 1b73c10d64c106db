import { createElement as h, useState } from "react";
import { CopyButton } from "./copy.js";

/** So many entries of a list or an object are drawn; the rest when one asks. */
const ENTRIES = 100;

/** Any JSON value, to be unfolded level by level. What is folded is not drawn, so large results cost nothing. */
export function Tree({ value, openLevels, textLimit }) {
  if (isBranch(value)) return h("div", { className: "ti-tree" }, h(Entries, { value, depth: 0, openLevels, textLimit }));
  return h("div", { className: "ti-tree" }, h(Leaf, { value, textLimit }));
}

function Entries({ value, depth, openLevels, textLimit }) {
  const [limit, setLimit] = useState(ENTRIES);
  const entries = Object.entries(value);
  if (entries.length === 0) return h("span", { className: "ti-faint" }, brief(value));
  return h(
    "ul",
    null,
    entries.slice(0, limit).map(([name, child]) => h(Node, { key: name, name, value: child, depth, openLevels, textLimit })),
    entries.length > limit &&
      h(
        "li",
        null,
        h("button", { type: "button", className: "ti-more", onClick: () => setLimit(limit + ENTRIES) }, `${entries.length - limit} more`),
      ),
  );
}

function Node({ name, value, depth, openLevels, textLimit }) {
  const [open, setOpen] = useState(depth + 1 < openLevels);
  if (!isBranch(value)) return h("li", null, h(Name, { name }), h(Leaf, { value, textLimit }));
  return h(
    "li",
    null,
    h(
      "button",
      { type: "button", className: "ti-fold", "aria-expanded": open, onClick: () => setOpen(!open) },
      h("span", { className: "ti-arrow", "aria-hidden": true }, "▸"),
      h(Name, { name }),
      h("span", { className: "ti-faint" }, brief(value)),
    ),
    h(CopyButton, { label: `Copy ${name}`, value }),
    open && h(Entries, { value, depth: depth + 1, openLevels, textLimit }),
  );
}

function Name({ name }) {
  return h("span", { className: "ti-key" }, `${name}:`);
}

function Leaf({ value, textLimit }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return h("span", { className: `ti-${typeof value}` }, String(value ?? "nothing"));
  const isLong = value.length > textLimit;
  return h(
    "span",
    { className: "ti-string" },
    isLong && !whole ? `${value.slice(0, textLimit)}…` : value || "“”",
    isLong &&
      h(
        "button",
        { type: "button", className: "ti-more", onClick: () => setWhole(!whole) },
        whole ? "less" : `all ${value.length.toLocaleString()} characters`,
      ),
  );
}

function isBranch(value) {
  return typeof value === "object" && value !== null;
}

function brief(value) {
  const count = Object.keys(value).length;
  if (Array.isArray(value)) return `[${count}]`;
  return count === 0 ? "{}" : `{${count}}`;
}
