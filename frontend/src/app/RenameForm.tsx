import { type FormEvent, useRef } from "react";
import { renameConversation } from "./conversations";

interface RenameProps {
  readonly id: string;
  readonly title: string;
  readonly onDone: () => void;
}

/** The title, to be written anew in its place. Enter and leaving save, Escape does not. */
export function RenameForm({ id, title, onDone }: RenameProps) {
  const input = useRef<HTMLInputElement>(null);
  const over = useRef(false);
  const finish = (save: boolean) => {
    if (over.current) return; // taking the box away makes it lose the focus as well
    over.current = true;
    const next = input.current?.value.trim();
    onDone();
    if (save && next && next !== title) void renameConversation(id, next);
  };
  return (
    <form
      className="rename"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        finish(true);
      }}
    >
      <input
        ref={input}
        defaultValue={title}
        aria-label="New title"
        maxLength={200}
        autoFocus
        onFocus={(event) => event.target.select()}
        onBlur={() => finish(true)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          finish(false);
        }}
      />
    </form>
  );
}
