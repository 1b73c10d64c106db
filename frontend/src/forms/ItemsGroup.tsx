import { ChevronRight, Plus, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { FieldError, JsonSchema } from "@/api/types";
import { asValues, labelOf, messagesAt, pointerTo, type Values, withDefaults } from "./schema";

interface ItemsGroupProps {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly value: unknown;
  readonly pointer: string;
  readonly disabled: boolean;
  readonly errors: readonly FieldError[];
  readonly onChange: (items: readonly Values[]) => void;
  /** The form of one item. */
  readonly render: (
    schema: JsonSchema,
    item: Values,
    base: string,
    change: (item: Values) => void,
  ) => ReactNode;
}

/** A list of things with settings of their own, such as servers: one card each, open while it is new or wrong. */
export function ItemsGroup(props: ItemsGroupProps) {
  const { name, schema, value, pointer, disabled, errors, onChange, render } = props;
  const items: readonly Values[] = Array.isArray(value) ? value.map(asValues) : [];
  // Cards keep their identity when one before them is removed.
  const [keys, setKeys] = useState<readonly number[]>(() => items.map((_, at) => at));
  const [fresh, setFresh] = useState(-1);
  const inner = schema.items ?? {};
  const add = () => {
    const key = Math.max(-1, ...keys) + 1;
    setKeys([...keys, key]);
    setFresh(key);
    onChange([...items, withDefaults(inner, {})]);
  };
  const remove = (at: number) => {
    setKeys(keys.filter((_, index) => index !== at));
    onChange(items.filter((_, index) => index !== at));
  };
  return (
    <fieldset className="field-group" disabled={disabled} data-testid={`field-${pointer.slice(1)}`}>
      <legend>{labelOf(name, schema)}</legend>
      {schema.description && <p className="field-help">{schema.description}</p>}
      {messagesAt(errors, pointer, false).map((message) => (
        <p key={message} className="field-error" role="alert">
          {message}
        </p>
      ))}
      {items.map((item, at) => {
        const base = pointerTo(pointer, String(at));
        const wrong = messagesAt(errors, base, true).length > 0;
        return (
          <details key={keys[at] ?? at} className="item-card" open={wrong || keys[at] === fresh || undefined}>
            <summary>
              <ChevronRight size={15} className="item-arrow" aria-hidden="true" />
              <span>{titleOf(item, at)}</span>
              <button
                type="button"
                className="icon-button"
                aria-label={`Remove ${titleOf(item, at)}`}
                onClick={() => remove(at)}
              >
                <Trash2 size={15} />
              </button>
            </summary>
            {render(inner, item, base, (changed) =>
              onChange(items.map((one, index) => (index === at ? changed : one))),
            )}
          </details>
        );
      })}
      <button type="button" className="button small" onClick={add}>
        <Plus size={14} aria-hidden="true" /> Add
      </button>
    </fieldset>
  );
}

function titleOf({ name, title, id }: Values, at: number): string {
  return [name, title, id].find((text) => typeof text === "string" && text)?.toString() ?? `Number ${at + 1}`;
}
