/**
 * Tool inspector: every tool call of the conversation, with what was asked, what came back and how long it took.
 * Plain JavaScript without a build step; "react" and the SDK are the page's own.
 */
import { PluginType, useMessages } from "@/plugins/pluginSystem";
import { createElement as h, useMemo, useState } from "react";
import { CopyButton } from "./copy.js";
import { CSS } from "./style.js";
import { Tree } from "./tree.js";

const STATUS = {
  approval: "Waits for you",
  running: "Running",
  done: "Done",
  failed: "Failed",
};

function ToolInspector({ config, context }) {
  const messages = useMessages();
  const [onlyFailed, setOnlyFailed] = useState(false);
  const rounds = useMemo(() => roundsOf(messages, onlyFailed), [messages, onlyFailed]);
  const all = messages.flatMap((message) => message.toolCalls);
  const failed = all.filter((call) => call.status === "failed").length;
  return h(
    "section",
    { className: "tool-inspector", "aria-label": "Tool inspector", "data-testid": "tool-inspector" },
    h("style", null, CSS),
    h("header", null, h("h2", null, "Tool calls"), all.length > 0 && h(CopyButton, { label: "Copy all as JSON", value: all.map(plain) })),
    all.length === 0
      ? h("p", { className: "ti-none" }, "No tool has been used in this conversation. When a model uses one, it shows up here.")
      : h(Summary, { all, failed, onlyFailed, setOnlyFailed }),
    rounds.map((round) => h(Round, { key: round.id, round, config, context })),
  );
}

/** Answers that used tools, each with the question it answers. */
function roundsOf(messages, onlyFailed) {
  let question = "";
  const rounds = [];
  for (const { id, role, text, toolCalls } of messages) {
    if (role === "user") question = text;
    const calls = onlyFailed ? toolCalls.filter((call) => call.status === "failed") : toolCalls;
    if (calls.length > 0) rounds.push({ id, question, calls });
  }
  return rounds;
}

function Summary({ all, failed, onlyFailed, setOnlyFailed }) {
  const ms = all.reduce((sum, call) => sum + (call.durationMs ?? 0), 0);
  const facts = [`${all.length} ${all.length === 1 ? "call" : "calls"}`, ms > 0 && time(ms)];
  return h(
    "p",
    { className: "ti-summary" },
    h("span", null, facts.filter(Boolean).join(" · ")),
    (failed > 0 || onlyFailed) &&
      h(
        "button",
        { type: "button", "aria-pressed": onlyFailed, onClick: () => setOnlyFailed(!onlyFailed) },
        `${failed} failed`,
      ),
  );
}

function Round({ round: { id, question, calls }, config, context }) {
  return h(
    "div",
    { className: "ti-round" },
    h(
      "button",
      { type: "button", className: "ti-question", title: "Show it in the chat", onClick: () => context.messages.reveal(id) },
      question || "The answer",
    ),
    calls.map((call, index) => h(Call, { key: `${call.id}-${index}`, call, config })),
  );
}

function Call({ call, config }) {
  const [open, setOpen] = useState(false);
  return h(
    "details",
    {
      className: "ti-call",
      "data-status": call.status,
      "data-testid": "inspected-call",
      open,
      onToggle: (event) => setOpen(event.currentTarget.open),
    },
    h(
      "summary",
      null,
      h("i", { className: "ti-dot", title: STATUS[call.status] }),
      h("span", { className: "ti-name" }, call.pluginId, call.action && h("b", null, ` ${call.action}`)),
      h("span", { className: "ti-time" }, call.durationMs === null ? STATUS[call.status] : time(call.durationMs)),
    ),
    open && h(CallBody, { call, config }),
  );
}

function CallBody({ call, config }) {
  const shown = { openLevels: config.open_levels ?? 1, textLimit: config.text_limit ?? 300 };
  return h(
    "div",
    { className: "ti-body" },
    h(Part, { title: "Arguments", value: call.arguments, shown }),
    call.status === "done" && h(Part, { title: "Result", value: call.result, shown }),
    call.status === "failed" && h(Part, { title: "Error", value: call.error, shown, bad: true }),
    call.status === "running" && h("p", { className: "ti-none" }, call.progress?.message || "It is running."),
    h("p", { className: "ti-id" }, call.name, h(CopyButton, { label: "Copy the call as JSON", value: plain(call) })),
  );
}

function Part({ title, value, shown, bad = false }) {
  return h(
    "section",
    { className: bad ? "ti-part ti-bad" : "ti-part", "aria-label": title },
    h("h3", null, title, h(CopyButton, { label: `Copy ${title.toLowerCase()}`, value })),
    h(Tree, { value, ...shown }),
  );
}

/** The call as one would paste it into a report. */
function plain({ id, name, arguments: args, status, result, error, durationMs }) {
  return { id, name, arguments: args, status, ...(error === undefined ? { result } : { error }), duration_ms: durationMs };
}

export function time(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export default class ToolInspectorPlugin {
  metadata = { id: "tool-inspector", name: "Tool inspector", version: "1.0.0", type: PluginType.UI };

  getMountPoint() {
    return "right-panel/v1";
  }

  getComponent() {
    return ToolInspector;
  }
}
