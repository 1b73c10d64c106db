import { createElement as h, useEffect, useId, useRef, useState, useSyncExternalStore } from "react";
import { matches } from "./blanks.js";
import { CSS } from "./style.js";
import { ICONS, Icon, usePromptDialogs, usePrompts } from "./using.js";

/** The button beside the message box, and the list it opens. */
export function ChatInput({ store, context }) {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  const { choose, edit, dialogs } = usePromptDialogs(store, context);
  useEffect(() => {
    if (!open) return undefined;
    const elsewhere = (event) => !box.current?.contains(event.target) && setOpen(false);
    window.addEventListener("pointerdown", elsewhere);
    return () => window.removeEventListener("pointerdown", elsewhere);
  }, [open]);
  const close = (then) => (given) => {
    setOpen(false);
    then?.(given);
  };
  return h(
    "div",
    { className: "prompts-plugin", ref: box },
    h("style", null, CSS),
    h(
      "button",
      {
        type: "button",
        className: "prompts-open",
        title: "Prompts",
        "aria-label": "Prompts",
        "aria-haspopup": "dialog",
        "aria-expanded": open,
        "data-testid": "prompt-library",
        onClick: () => setOpen(!open),
      },
      h(Icon, { d: ICONS.book, size: 18 }),
    ),
    open && h(Picker, { store, context, onChoose: close(choose), onEdit: close(edit), onClose: close() }),
    dialogs,
  );
}

function Picker({ store, context, onChoose, onEdit, onClose }) {
  const { all, status, error } = usePrompts(store);
  const [query, setQuery] = useState("");
  const [index, setIndex] = useState(0);
  const draft = useSyncExternalStore(context.composer.text.subscribe, context.composer.text.get).trim();
  const found = all.filter((prompt) => matches(prompt, query.trim()));
  const listId = useId();
  const onKeyDown = (event) => {
    const moves = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (moves) setIndex(Math.max(0, Math.min(index + moves, found.length - 1)));
    else if (event.key === "Enter" && found[index]) onChoose(found[index]);
    else if (event.key === "Escape") onClose();
    else if (event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
  };
  return h(
    "div",
    { className: "prompts-pop", role: "dialog", "aria-label": "Prompts" },
    h("input", {
      type: "search",
      placeholder: "Search prompts",
      role: "combobox",
      "aria-label": "Search prompts",
      "aria-expanded": true,
      "aria-controls": listId,
      "aria-activedescendant": found[index] && `${listId}-${index}`,
      autoFocus: true,
      value: query,
      onChange: (event) => {
        setQuery(event.target.value);
        setIndex(0);
      },
      onKeyDown,
    }),
    h(
      "div",
      { className: "prompts-list", role: "listbox", id: listId, "aria-label": "Prompts" },
      found.map((prompt, at) =>
        h(Option, { key: prompt.id, id: `${listId}-${at}`, prompt, selected: at === index, onPoint: () => setIndex(at), onChoose }),
      ),
      found.length === 0 && h("p", null, query ? `No prompt has “${query.trim()}” in it.` : "No prompts yet."),
    ),
    status === "failed" && h("p", { className: "prompts-problem", role: "alert" }, `Your own prompts are missing: ${error} `, h("button", { type: "button", onClick: store.load }, "Try again")),
    h(
      "footer",
      null,
      h("button", { type: "button", onClick: () => onEdit({}) }, h(Icon, { d: ICONS.plus }), "New prompt"),
      draft && h("button", { type: "button", onClick: () => onEdit({ title: draft.split("\n")[0].slice(0, 60), text: draft }) }, "Save this message"),
    ),
  );
}

function Option({ id, prompt, selected, onPoint, onChoose }) {
  const line = useRef(null);
  useEffect(() => {
    if (selected) line.current?.scrollIntoView?.({ block: "nearest" });
  }, [selected]);
  return h(
    "div",
    { id, ref: line, role: "option", "aria-selected": selected, tabIndex: -1, onMouseMove: onPoint, onClick: () => onChoose(prompt) },
    h("strong", null, prompt.title, prompt.shared && h("em", null, "shared")),
    h("span", null, prompt.text),
  );
}
