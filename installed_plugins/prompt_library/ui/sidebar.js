import { createElement as h, useRef, useState } from "react";
import { matches } from "./blanks.js";
import { download, parse } from "./files.js";
import { CSS } from "./style.js";
import { ICONS, Icon, usePromptDialogs, usePrompts } from "./using.js";

/** So many prompts are found faster by words than by looking. */
const SEARCH_FROM = 8;

/** The library itself: everything one can do with prompts. */
export function Sidebar({ store, context }) {
  const { all, prompts, status, error, deleted } = usePrompts(store);
  const [open, setOpen] = useState(false);
  const [query, setQuery] = useState("");
  const [note, setNote] = useState("");
  const { choose, edit, dialogs } = usePromptDialogs(store, context);
  const attempt = (work) => async (given) => {
    setNote("");
    await Promise.resolve(work(given)).then(
      (said) => said && setNote(said),
      (failed) => setNote(failed.message),
    );
  };
  const found = all.filter((prompt) => matches(prompt, query.trim()));
  return h(
    "details",
    { className: "prompts-plugin prompts-side", open, onToggle: (event) => setOpen(event.currentTarget.open), "data-testid": "prompt-sidebar" },
    h("style", null, CSS),
    h("summary", null, h("span", null, "Prompts"), h("small", null, all.length)),
    h(Tools, { prompts, onNew: () => edit({}), onImport: attempt((file) => importFrom(store, file)) }),
    all.length >= SEARCH_FROM && h("input", { type: "search", placeholder: "Search prompts", "aria-label": "Search the library", value: query, onChange: (event) => setQuery(event.target.value) }),
    status === "failed" && h("p", { className: "prompts-problem", role: "alert" }, `${error} `, h("button", { type: "button", onClick: store.load }, "Try again")),
    deleted && h("p", { role: "status" }, `Deleted “${deleted.title}” `, h("button", { type: "button", onClick: attempt(() => store.undo()) }, "Undo")),
    note && h("p", { role: "status" }, note),
    h(
      "ul",
      null,
      found.map((prompt) => h(Row, { key: prompt.id, prompt, onChoose: choose, onEdit: edit, onDelete: attempt((one) => store.remove(one)) })),
    ),
    found.length === 0 && h("p", null, query ? `No prompt has “${query.trim()}” in it.` : "Save what you ask often, and it is one click away."),
    dialogs,
  );
}

async function importFrom(store, file) {
  const added = await store.save(parse(await file.text()));
  return added === 0 ? "All of these were there already." : `${added} ${added === 1 ? "prompt" : "prompts"} added.`;
}

function Tools({ prompts, onNew, onImport }) {
  const input = useRef(null);
  const take = (event) => {
    const [file] = event.target.files;
    event.target.value = ""; // the same file can be chosen again
    if (file) onImport(file);
  };
  return h(
    "div",
    { className: "prompts-tools" },
    h("button", { type: "button", onClick: onNew }, h(Icon, { d: ICONS.plus, size: 14 }), "New"),
    h("button", { type: "button", onClick: () => input.current.click() }, h(Icon, { d: ICONS.down, size: 14 }), "Import"),
    h("button", { type: "button", disabled: prompts.length === 0, onClick: () => download(prompts) }, h(Icon, { d: ICONS.up, size: 14 }), "Export"),
    h("input", { ref: input, type: "file", accept: ".json,application/json", hidden: true, "aria-label": "File of prompts", onChange: take }),
  );
}

function Row({ prompt, onChoose, onEdit, onDelete }) {
  return h(
    "li",
    null,
    h("button", { type: "button", className: "prompts-row", title: prompt.text, onClick: () => onChoose(prompt) }, prompt.title),
    prompt.shared
      ? h("em", null, "shared")
      : [
          h("button", { key: "edit", type: "button", className: "prompts-icon", "aria-label": `Edit ${prompt.title}`, onClick: () => onEdit(prompt) }, h(Icon, { d: ICONS.pen, size: 14 })),
          h("button", { key: "delete", type: "button", className: "prompts-icon", "aria-label": `Delete ${prompt.title}`, onClick: () => onDelete(prompt) }, h(Icon, { d: ICONS.bin, size: 14 })),
        ],
  );
}
