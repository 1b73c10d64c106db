import { ArrowUp, Paperclip, Square } from "lucide-react";
import {
  type ClipboardEvent,
  type KeyboardEvent,
  type RefObject,
  useEffect,
  useEffectEvent,
  useRef,
  useState,
} from "react";
import { flushSync } from "react-dom";
import { pluginManager } from "@/plugins/instance";
import { PluginMount } from "@/plugins/react";
import type { ChatAttachment } from "@/plugins/types";
import { DropTarget } from "@/ui/DropTarget";
import { Spinner } from "@/ui/states";
import { DraftList } from "./DraftList";
import { useAttachments } from "./useAttachments";

interface ComposerProps {
  readonly answering: boolean;
  readonly disabled: boolean;
  readonly onSend: (text: string, attachments: readonly ChatAttachment[]) => void;
  readonly onStop: () => void;
}

export function Composer({ answering, disabled, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState("");
  const area = useRef<HTMLTextAreaElement>(null);
  const files = useAttachments();
  const said = text.trim().length > 0 || files.ready.length > 0;
  const ready = said && files.settled && !answering && !disabled;
  usePluginText(area, text, setText);
  useEscape(answering, onStop);
  /** Sent as soon as the last file is there. */
  const [held, setHeld] = useState(false);
  const send = () => {
    setHeld(!ready && files.sending && !answering && !disabled);
    if (!ready) return;
    onSend(text.trim(), files.ready);
    setText("");
    files.clear();
  };
  const sendHeld = useEffectEvent(send);
  useEffect(() => {
    if (held && !files.sending) sendHeld();
  }, [held, files.sending]);
  const onKeyDown = (event: KeyboardEvent) => {
    // While a word is being composed (Japanese, Chinese, ...) Enter belongs to the input method.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  const onPaste = (event: ClipboardEvent) => {
    const pasted = pastedFiles(event.clipboardData);
    if (pasted.length === 0) return;
    event.preventDefault();
    files.add(pasted);
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <DraftList drafts={files.drafts} onRemove={files.remove} />
      {files.problem && (
        <p className="composer-problem" role="alert">
          {files.problem}
        </p>
      )}
      <textarea
        ref={area}
        rows={1}
        dir="auto"
        value={text}
        placeholder={disabled ? "Load a provider plugin to chat" : "Message the studio…"}
        aria-label="Message"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
        autoFocus
        data-testid="chat-input"
      />
      <div className="composer-bar">
        <AttachButton disabled={disabled} onFiles={files.add} />
        <PluginMount mountPoint="chat-input" className="composer-plugins" />
        <SendButton answering={answering} ready={ready || files.sending} held={held} onStop={onStop} />
      </div>
      <DropTarget text="Drop files to send them along" onFiles={files.add} />
    </form>
  );
}

const LONGEST_PASTED = 50_000;

/** A long text is sent along as a file: a box with a whole book in it crawls, and a message has its limit. */
function pastedFiles(clipboard: DataTransfer): readonly File[] {
  const files = [...clipboard.files];
  if (files.length > 0) return files;
  const text = clipboard.getData("text/plain");
  return text.length > LONGEST_PASTED ? [new File([text], "pasted.txt", { type: "text/plain" })] : [];
}

function AttachButton({
  disabled,
  onFiles,
}: {
  disabled: boolean;
  onFiles: (files: readonly File[]) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        className="icon-button"
        aria-label="Attach files"
        title="Attach pictures, PDFs or texts"
        disabled={disabled}
        onClick={() => input.current?.click()}
      >
        <Paperclip size={17} />
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Files to attach"
        onChange={({ target }) => {
          onFiles([...(target.files ?? [])]);
          target.value = ""; // the same file can be chosen again
        }}
        data-testid="file-input"
      />
    </>
  );
}

interface SendProps {
  readonly answering: boolean;
  readonly ready: boolean;
  readonly held: boolean;
  readonly onStop: () => void;
}

function SendButton({ answering, ready, held, onStop }: SendProps) {
  if (!answering) {
    return (
      <button
        type="submit"
        className="send"
        aria-label="Send"
        title={held ? "Sent when the files are there" : "Send (Enter)"}
        disabled={!ready}
        data-testid="chat-send"
      >
        {held ? <Spinner size={15} /> : <ArrowUp size={18} />}
      </button>
    );
  }
  return (
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
  );
}

/** Text from UI plugins goes where the cursor is, or takes the place of all; and they can read what is there. */
function usePluginText(
  area: RefObject<HTMLTextAreaElement | null>,
  text: string,
  setText: (change: (text: string) => string) => void,
) {
  useEffect(() => pluginManager.host.draft.set(text), [text]);
  useEffect(() => {
    const { composer } = pluginManager.host;
    const insert = composer.on("insert", (inserted) => {
      const { selectionStart: start = 0, selectionEnd: end = 0 } = area.current ?? {};
      flushSync(() => setText((text) => text.slice(0, start) + inserted + text.slice(end)));
      area.current?.focus();
      area.current?.setSelectionRange(start + inserted.length, start + inserted.length);
    });
    const replace = composer.on("replace", (whole) => {
      setText(() => whole);
      area.current?.focus();
    });
    return () => {
      insert();
      replace();
    };
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
