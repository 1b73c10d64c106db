/**
 * Token meter: a chip in the toolbar with the tokens of the current answer, how fast they come, and what was paid.
 * Plain JavaScript without a build step; "react" and the SDK are the page's own.
 */
import { PluginType } from "@/plugins/pluginSystem";
import { createElement as h, useEffect, useRef, useState, useSyncExternalStore } from "react";

/** Providers count tokens only at the end of an answer; until then four characters are taken for one. */
const CHARS_PER_TOKEN = 4;
const TICK_MS = 250;
/** A rate over less time than this would only flicker. */
const MIN_RATE_MS = 300;

const IDLE = { answering: false, chars: 0, firstAt: 0, lastAt: 0, startedAt: 0, model: null, usage: null, cost: null };

/** Follows the chat stream outside React, so that the count goes on while nothing is drawn. */
class Meter {
  #state = IDLE;
  #listeners = new Set();
  #undos;

  constructor({ chat, conversation }) {
    let current = conversation.get().id;
    this.#undos = [
      chat.on("message.start", ({ model }) => this.#set({ ...IDLE, answering: true, model, startedAt: now() })),
      chat.on("delta", ({ content }) => this.#grow(content)),
      chat.on("reasoning", ({ content }) => this.#grow(content)),
      chat.on("message.end", ({ usage, cost }) => this.#set({ answering: false, usage: usage ?? null, cost: cost ?? null })),
      chat.on("error", () => this.#set({ answering: false })),
      conversation.subscribe(({ id }) => {
        // A new conversation gets its id when its first answer starts: that is no change of conversation.
        if (id !== current && current !== null) this.#set(IDLE);
        current = id;
      }),
    ];
  }

  get = () => this.#state;

  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  stop() {
    for (const undo of this.#undos) undo();
    this.#listeners.clear();
  }

  #grow(content) {
    const { chars, firstAt } = this.#state;
    this.#set({ answering: true, chars: chars + content.length, firstAt: firstAt || now(), lastAt: now() });
  }

  #set(change) {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

const now = () => performance.now();

function tokensOf({ usage, chars }) {
  return usage ? usage.completion_tokens : Math.ceil(chars / CHARS_PER_TOKEN);
}

function rateOf(state) {
  const end = state.answering ? now() : state.lastAt;
  const ms = end - state.firstAt;
  return state.firstAt && ms >= MIN_RATE_MS ? (tokensOf(state) * 1000) / ms : null;
}

function useTick(active) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!active) return undefined;
    const timer = setInterval(() => tick((n) => n + 1), TICK_MS);
    return () => clearInterval(timer);
  }, [active]);
}

function TokenMeterChip({ meter, context, config }) {
  const state = useSyncExternalStore(meter.subscribe, meter.get);
  const conversation = useSyncExternalStore(context.conversation.subscribe, context.conversation.get);
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  useTick(state.answering);
  useCloseElsewhere(box, open, () => setOpen(false));
  const rate = rateOf(state);
  const used = state.chars > 0 || state.usage !== null;
  const tokens = used ? tokensOf(state) : conversation.usage.total_tokens;
  const approx = used && !state.usage ? "≈ " : "";
  const label = `${approx}${tokens.toLocaleString()} tokens`;
  return h(
    "div",
    { ref: box, style: STYLE.box },
    h("style", null, "@media (max-width: 520px) { .token-meter-more { display: none } }"),
    h(
      "button",
      {
        type: "button",
        style: STYLE.chip,
        "aria-expanded": open,
        "aria-haspopup": "dialog",
        "data-testid": "token-meter",
        title: used ? "Tokens of this answer" : "Tokens of this conversation",
        onClick: () => setOpen(!open),
      },
      h("span", { style: { ...STYLE.dot, ...(state.answering ? STYLE.live : {}) }, "aria-hidden": true }),
      h("span", { "data-testid": "token-meter-tokens" }, label),
      config.show_cost !== false &&
        conversation.cost !== null &&
        h("span", { className: "token-meter-more", style: STYLE.rate, "data-testid": "token-meter-cost", title: "Cost of this conversation" }, money(conversation.cost)),
      rate !== null && h("span", { className: "token-meter-more", style: STYLE.rate, "data-testid": "token-meter-rate" }, `${rate.toFixed(rate < 10 ? 1 : 0)}/s`),
    ),
    open && h(Details, { state, rate, conversation }),
  );
}

function useCloseElsewhere(box, open, close) {
  useEffect(() => {
    if (!open) return undefined;
    const listen = (event) => {
      const escaped = event.type === "keydown" && event.key === "Escape";
      if (escaped || (event.type === "pointerdown" && !box.current?.contains(event.target))) close();
    };
    window.addEventListener("pointerdown", listen);
    window.addEventListener("keydown", listen);
    return () => {
      window.removeEventListener("pointerdown", listen);
      window.removeEventListener("keydown", listen);
    };
  });
}

function Details({ state, rate, conversation }) {
  return h(
    "div",
    { role: "dialog", "aria-label": "Token use", style: STYLE.popover, "data-testid": "token-meter-details" },
    state.startedAt ? h(AnswerDetails, { state, rate }) : null,
    h("strong", { style: STYLE.head }, "Conversation"),
    row("Messages", conversation.messageCount.toLocaleString()),
    row("Prompt", conversation.usage.prompt_tokens.toLocaleString()),
    row("Answers", conversation.usage.completion_tokens.toLocaleString()),
    row("Total", conversation.usage.total_tokens.toLocaleString()),
    row("Cost", money(conversation.cost)),
  );
}

/** Of an answer that was seen to come; of one from before the page was opened nothing is known here. */
function AnswerDetails({ state, rate }) {
  const { usage } = state;
  const firstMs = state.firstAt ? Math.max(0, state.firstAt - state.startedAt) : null;
  return h(
    "div",
    { style: { marginBottom: 10 } },
    h("strong", { style: STYLE.head }, state.answering ? "This answer, so far" : "Last answer"),
    row("Prompt", usage ? usage.prompt_tokens.toLocaleString() : "–"),
    row("Answer", `${usage || !state.chars ? "" : "≈ "}${tokensOf(state).toLocaleString()}`),
    row("Cost", money(state.cost)),
    row("Speed", rate === null ? "–" : `${rate.toFixed(1)} tokens/s`),
    row("First word after", firstMs === null ? "–" : `${(firstMs / 1000).toFixed(2)} s`),
  );
}

/** US dollars; small sums with as many digits as tell them apart. */
export function money(usd) {
  if (usd === null || usd === undefined) return "–";
  if (usd === 0) return "$0";
  if (usd < 0.0001) return "< $0.0001";
  return `$${usd < 0.1 ? Number(usd.toPrecision(2)).toString() : usd.toFixed(2)}`;
}

function row(name, value) {
  return h("div", { style: STYLE.row }, h("span", { style: STYLE.name }, name), h("span", null, value));
}

/** The page's own colours; the second value is for a page that has none (a sandboxed frame). */
const STYLE = {
  box: { position: "relative", fontSize: 13 },
  chip: {
    display: "inline-flex",
    alignItems: "center",
    gap: 7,
    minHeight: 32,
    padding: "4px 12px",
    border: "1px solid var(--line, #8884)",
    borderRadius: 99,
    background: "var(--surface, transparent)",
    color: "inherit",
    font: "inherit",
    fontVariantNumeric: "tabular-nums",
    whiteSpace: "nowrap",
    cursor: "pointer",
  },
  dot: { width: 7, height: 7, borderRadius: "50%", background: "var(--line-strong, #8888)" },
  live: { background: "var(--accent, #5b4fe9)", boxShadow: "0 0 0 3px var(--accent-soft, #5b4fe933)" },
  rate: { color: "var(--muted, #777)" },
  popover: {
    position: "absolute",
    zIndex: 30,
    top: "calc(100% + 8px)",
    right: 0,
    width: 236,
    padding: "14px 16px",
    border: "1px solid var(--line, #8884)",
    borderRadius: 12,
    background: "var(--surface, Canvas)",
    boxShadow: "var(--shadow-2, 0 8px 24px #0003)",
    fontVariantNumeric: "tabular-nums",
  },
  head: { display: "block", marginBottom: 4, fontSize: 12.5 },
  row: { display: "flex", justifyContent: "space-between", gap: 12, padding: "2px 0" },
  name: { color: "var(--muted, #777)" },
};

export default class TokenMeter {
  metadata = { id: "token-meter", name: "Token meter", version: "1.1.0", type: PluginType.UI };
  #meter;

  initialize(_config, context) {
    this.#meter = new Meter(context);
    return true;
  }

  shutdown() {
    this.#meter?.stop();
  }

  getMountPoint() {
    return "toolbar/v1";
  }

  getComponent() {
    const meter = this.#meter;
    return (props) => h(TokenMeterChip, { ...props, meter });
  }
}
