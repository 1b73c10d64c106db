import { ArrowUp, Square } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { pluginManager } from "@/plugins/instance";
import { PluginMount } from "@/plugins/react";

interface ComposerProps {
  readonly answering: boolean;
  readonly disabled: boolean;
  readonly onSend: (text: string) => void;
  readonly onStop: () => void;
}

export function Composer({ answering, disabled, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState("");
  const area = useRef<HTMLTextAreaElement>(null);
  const ready = text.trim().length > 0 && !answering && !disabled;
  useInsertions(area, setText);
  useEscape(answering, onStop);
  const send = () => {
    if (!ready) return;
    onSend(text.trim());
    setText("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // While a word is being composed (Japanese, Chinese, ...) Enter belongs to the input method.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={area}
        rows={1}
        value={text}
        placeholder={disabled ? "Load a provider plugin to chat" : "Message the studio…"}
        aria-label="Message"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        autoFocus
        data-testid="chat-input"
      />
      <div className="composer-bar">
        <PluginMount mountPoint="chat-input" className="composer-plugins" />
        {answering ? (
          <button
            type="button"
            className="send stop"
            aria-label="Stop the answer (Esc)"
            title="Stop (Esc)"
            onClick={onStop}
            data-testid="chat-stop"
          >
            <Square size={14} fill="currentColor" />
          </button>
        ) : (
          <button
            type="submit"
            className="send"
            aria-label="Send"
            title="Send (Enter)"
            disabled={!ready}
            data-testid="chat-send"
          >
            <ArrowUp size={18} />
          </button>
        )}
      </div>
    </form>
  );
}

/** Text from UI plugins goes where the cursor is. */
function useInsertions(
  area: { current: HTMLTextAreaElement | null },
  setText: (change: (text: string) => string) => void,
) {
  useEffect(() => {
    return pluginManager.host.composer.on("insert", (inserted) => {
      const { selectionStart: start = 0, selectionEnd: end = 0 } = area.current ?? {};
      setText((text) => text.slice(0, start) + inserted + text.slice(end));
      area.current?.focus();
    });
  }, [area, setText]);
}

function useEscape(active: boolean, onEscape: () => void): void {
  useEffect(() => {
    if (!active) return;
    const listen = (event: globalThis.KeyboardEvent) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) onEscape();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [active, onEscape]);
}
