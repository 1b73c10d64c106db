import { createElement as h, useState, useSyncExternalStore } from "react";
import { flushSync } from "react-dom";
import { blanksOf } from "./blanks.js";
import { EditDialog, FillDialog } from "./dialogs.js";

export function usePrompts(store) {
  const state = useSyncExternalStore(store.subscribe, store.get);
  return { ...state, all: store.all };
}

/** Choosing a prompt asks for its blanks first, if it has any. `dialogs` is what is open for it. */
export function usePromptDialogs(store, context) {
  const [filling, setFilling] = useState(null);
  const [editing, setEditing] = useState(null);
  const insert = (text) => {
    flushSync(() => setFilling(null)); // a message box behind an open dialog cannot get the cursor
    context.composer.insert(text);
  };
  const choose = (prompt) => (blanksOf(prompt.text).length > 0 ? setFilling(prompt) : insert(prompt.text));
  const dialogs = [
    filling && h(FillDialog, { key: "fill", prompt: filling, onInsert: insert, onClose: () => setFilling(null) }),
    editing && h(EditDialog, { key: "edit", prompt: editing, store, onClose: () => setEditing(null) }),
  ];
  return { choose, edit: setEditing, dialogs };
}

export function Icon({ d, size = 16 }) {
  return h(
    "svg",
    { viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor", strokeWidth: 2, strokeLinecap: "round", strokeLinejoin: "round", "aria-hidden": true },
    h("path", { d }),
  );
}

export const ICONS = {
  book: "M4 19.5V5a2 2 0 0 1 2-2h14v18H6a2 2 0 0 1-2-1.5A2 2 0 0 1 6 17h14M9 7h7M9 11h5",
  plus: "M12 5v14M5 12h14",
  pen: "M12 20h9M16.5 3.5a2.1 2.1 0 0 1 3 3L7 19l-4 1 1-4z",
  bin: "M3 6h18M8 6V4h8v2M6 6l1 14h10l1-14M10 11v5M14 11v5",
  up: "M12 16V4M6 10l6-6 6 6M4 20h16",
  down: "M12 4v12M6 10l6 6 6-6M4 20h16",
};
