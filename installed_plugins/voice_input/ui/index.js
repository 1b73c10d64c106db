/**
 * Voice input: a microphone beside the message box. What is said is written where the cursor is.
 * Plain JavaScript without a build step; "react" and the SDK are the page's own.
 */
import { PluginType } from "@/plugins/pluginSystem";
import { createElement as h, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Dictation } from "./dictation.js";
import { languageName, languagesOf } from "./languages.js";
import { CSS } from "./style.js";

function VoiceInput({ config, context }) {
  const [dictation] = useState(() => new Dictation(window, (words) => context.composer.insert(spaced(words, context))));
  const { status, interim, problem } = useSyncExternalStore(dictation.subscribe, dictation.get);
  const [language, setLanguage] = useLanguage(config, context.storage);
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  const listening = status === "starting" || status === "listening";
  useEffect(() => () => dictation.abort(), [dictation]);
  useOutside(box, open || Boolean(problem), () => {
    setOpen(false);
    dictation.forget();
  });
  const start = () => {
    setOpen(false);
    dictation.start({ language, interim: config.interim_results !== false, continuous: config.continuous !== false });
  };
  return h(
    "div",
    { className: "voice", ref: box, onKeyDown: (event) => stopOnEscape(event, listening, dictation) },
    h("style", null, CSS),
    h(MicButton, { status, listening, onClick: () => (listening ? dictation.stop() : start()) }),
    h(LanguageButton, { language, open, disabled: listening, onClick: () => setOpen(!open) }),
    listening && h(Heard, { interim, language, starting: status === "starting" }),
    !listening && problem && h(Trouble, { problem, onRetry: problem.final ? undefined : start, onClose: dictation.forget }),
    open && h(Languages, { config, language, onChoose: (tag) => (setLanguage(tag), setOpen(false)) }),
  );
}

function MicButton({ status, listening, onClick }) {
  const unable = status === "unsupported";
  const label = listening ? "Stop dictating" : unable ? "Dictation is not possible here" : "Dictate";
  return h(
    "button",
    {
      type: "button",
      className: "voice-mic",
      "data-status": status,
      "data-testid": "voice-input",
      "aria-pressed": listening,
      "aria-label": label,
      title: label,
      onClick,
    },
    h(Microphone, { off: unable }),
  );
}

function LanguageButton({ language, open, disabled, onClick }) {
  return h(
    "button",
    {
      type: "button",
      className: "voice-language",
      "aria-haspopup": "listbox",
      "aria-expanded": open,
      "aria-label": `Language: ${languageName(language)}`,
      title: `You speak ${languageName(language)}`,
      disabled,
      onClick,
    },
    language.split("-")[0],
  );
}

function Languages({ config, language, onChoose }) {
  return h(
    "div",
    { className: "voice-pop voice-list", role: "listbox", "aria-label": "Language you speak" },
    languagesOf(config, language).map((tag) =>
      h(
        "button",
        { key: tag, type: "button", role: "option", "aria-selected": tag === language, lang: tag, onClick: () => onChoose(tag) },
        languageName(tag),
      ),
    ),
  );
}

function Heard({ interim, language, starting }) {
  const text = interim || (starting ? "Waiting for the microphone…" : "Listening…");
  return h("div", { className: "voice-pop voice-heard", role: "status", lang: interim ? language : undefined, dir: "auto", "data-waiting": !interim || undefined }, text);
}

function Trouble({ problem, onRetry, onClose }) {
  return h(
    "div",
    { className: "voice-pop voice-trouble", role: "alert" },
    h("strong", null, problem.title),
    h("p", null, problem.help),
    h(
      "div",
      null,
      onRetry && h("button", { type: "button", onClick: onRetry }, "Try again"),
      h("button", { type: "button", onClick: onClose }, "Close"),
    ),
  );
}

function Microphone({ off }) {
  return h(
    "svg",
    { viewBox: "0 0 24 24", width: 18, height: 18, fill: "none", stroke: "currentColor", strokeWidth: 2, strokeLinecap: "round", "aria-hidden": true },
    h("rect", { x: 9, y: 2, width: 6, height: 12, rx: 3 }),
    h("path", { d: "M5 11a7 7 0 0 0 14 0M12 18v4" }),
    off && h("path", { d: "M3 3l18 18" }),
  );
}

/** What was said begins with a space where it follows a word. */
function spaced(words, { composer }) {
  const before = composer.text.get();
  return before && !/\s$/.test(before) ? ` ${words.trimStart()}` : words.trimStart();
}

function stopOnEscape(event, listening, dictation) {
  if (event.key !== "Escape" || !listening) return;
  event.stopPropagation(); // otherwise it would also stop the answer
  dictation.stop();
}

/** The person's choice, kept in this browser; else what the operator set; else the browser's. */
function useLanguage(config, storage) {
  const [language, setLanguage] = useState(config.language || navigator.language || "en-US");
  useEffect(() => {
    let gone = false;
    storage.get("language").then((kept) => {
      if (!gone && typeof kept === "string") setLanguage(kept);
    });
    return () => {
      gone = true;
    };
  }, [storage]);
  const choose = (tag) => {
    setLanguage(tag);
    void storage.set("language", tag);
  };
  return [language, choose];
}

function useOutside(box, active, close) {
  useEffect(() => {
    if (!active) return undefined;
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

export default class VoiceInputPlugin {
  metadata = { id: "voice-input", name: "Voice input", version: "1.0.0", type: PluginType.UI };

  getMountPoint() {
    return "chat-input/v1";
  }

  getComponent() {
    return VoiceInput;
  }
}
