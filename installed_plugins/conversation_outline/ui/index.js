/**
 * Conversation outline: the questions of the open conversation, one line each; a click scrolls to it.
 * Plain JavaScript without a build step; "react" and the SDK are the page's own.
 */
import { PluginType, useMessages } from "@/plugins/pluginSystem";
import { createElement as h, useEffect, useMemo, useState } from "react";
import { entriesOf } from "./entries.js";
import { CSS } from "./style.js";

/** One question needs no outline. */
const LEAST = 2;

function Outline({ config, context }) {
  const messages = useMessages();
  const [open, setOpen] = useKept(context.storage, "open", true);
  const [filter, setFilter] = useState("");
  const headings = config.headings === true;
  const entries = useMemo(() => entriesOf(messages, headings), [messages, headings]);
  if (entries.length < LEAST) return null;
  const hasFilter = entries.length >= (config.filter_from ?? 10);
  const wanted = hasFilter ? filter.trim().toLowerCase() : "";
  const shown = entries.filter(({ text }) => text.toLowerCase().includes(wanted));
  return h(
    "details",
    {
      className: "outline-plugin",
      "data-testid": "conversation-outline",
      open,
      onToggle: (event) => setOpen(event.currentTarget.open),
    },
    h("style", null, CSS),
    h("summary", null, h("span", null, "In this chat"), h("small", null, entries.length)),
    hasFilter && h(Filter, { filter, setFilter }),
    h(
      "ol",
      { onKeyDown: moveFocus },
      shown.map((entry) => h(Line, { key: entry.key, entry, onOpen: () => context.messages.reveal(entry.id) })),
    ),
    shown.length === 0 && h("p", null, `Nothing has “${filter.trim()}” in it.`),
  );
}

function Filter({ filter, setFilter }) {
  return h("input", {
    type: "search",
    placeholder: "Find in this chat",
    "aria-label": "Find in the outline",
    value: filter,
    onChange: (event) => setFilter(event.target.value),
    onKeyDown: (event) => {
      if (event.key === "Escape" && filter) {
        event.stopPropagation();
        setFilter("");
      }
    },
  });
}

function Line({ entry: { text, level, answering }, onOpen }) {
  return h(
    "li",
    null,
    h(
      "button",
      { type: "button", title: text, "data-level": level, "data-answering": answering || undefined, onClick: onOpen },
      text,
    ),
  );
}

/** Up and down go through the lines, as in any list. */
function moveFocus(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const lines = [...event.currentTarget.querySelectorAll("button")];
  lines[lines.indexOf(document.activeElement) + step]?.focus();
}

/** A setting kept in this browser. */
function useKept(storage, key, initial) {
  const [value, setValue] = useState(initial);
  useEffect(() => {
    let gone = false;
    storage.get(key).then((stored) => {
      if (!gone && typeof stored === typeof initial) setValue(stored);
    });
    return () => {
      gone = true;
    };
  }, [storage, key, initial]);
  const keep = (next) => {
    setValue(next);
    void storage.set(key, next);
  };
  return [value, keep];
}

export default class ConversationOutline {
  metadata = { id: "conversation-outline", name: "Conversation outline", version: "1.0.0", type: PluginType.UI };

  getMountPoint() {
    return "sidebar/v1";
  }

  getComponent() {
    return Outline;
  }
}
