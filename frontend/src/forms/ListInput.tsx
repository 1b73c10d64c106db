import { X } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import type { InputProps } from "./Field";
import { parseNumber, typeOf } from "./schema";

/** A list of words or numbers, as chips. Enter or a comma adds, Backspace in the empty box takes the last away. */
export function ListInput({ id, schema, value, disabled, onChange, aria }: InputProps) {
  const [text, setText] = useState("");
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  const numeric = schema.items !== undefined && typeOf(schema.items) !== "string";
  const add = () => {
    const word = text.trim();
    if (!word) return;
    onChange([...items, numeric ? parseNumber(word) : word]);
    setText("");
  };
  const remove = (at: number) => onChange(items.filter((_, index) => index !== at));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" || event.key === ",") {
      if (event.key === "Enter" && !text.trim()) return;
      event.preventDefault();
      add();
    } else if (event.key === "Backspace" && !text && items.length > 0) remove(items.length - 1);
  };
  return (
    <div className="chips">
      {items.map((item, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a list may hold the same word twice
        <span key={`${at}-${String(item)}`} className="chip">
          {String(item)}
          <button
            type="button"
            aria-label={`Remove ${String(item)}`}
            disabled={disabled}
            onClick={() => remove(at)}
          >
            <X size={12} />
          </button>
        </span>
      ))}
      <input
        {...aria}
        id={id}
        value={text}
        placeholder={items.length === 0 ? "Type and press Enter" : ""}
        disabled={disabled}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        onBlur={add}
      />
    </div>
  );
}
