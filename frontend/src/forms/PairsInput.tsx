import { Plus, X } from "lucide-react";
import { useState } from "react";
import type { InputProps } from "./Field";
import { SecretInput } from "./SecretInput";
import { asValues, isSecret } from "./schema";

interface Pair {
  readonly key: number;
  readonly name: string;
  readonly value: unknown;
}

/** Names of one's own choice with a text each, such as headers. A row without a name is not sent. */
export function PairsInput({ id, schema, value, disabled, onChange, aria }: InputProps) {
  const [pairs, setPairs] = useState<readonly Pair[]>(() => pairsOf(value));
  const { additionalProperties: held } = schema;
  const secret = typeof held === "object" && isSecret(held);
  const set = (next: readonly Pair[]) => {
    setPairs(next);
    const named = next.filter(({ name }) => name.trim());
    onChange(Object.fromEntries(named.map((pair) => [pair.name.trim(), pair.value ?? ""])));
  };
  const change = (key: number, part: Partial<Pair>) =>
    set(pairs.map((pair) => (pair.key === key ? { ...pair, ...part } : pair)));
  const add = () =>
    setPairs([...pairs, { key: Math.max(0, ...pairs.map(({ key }) => key)) + 1, name: "", value: "" }]);
  return (
    <div id={id} className="pairs">
      {pairs.map(({ key, name, value }) => (
        <div key={key} className="pair">
          <input
            aria-label="Name"
            aria-invalid={aria["aria-invalid"]}
            placeholder="Name"
            spellCheck={false}
            value={name}
            disabled={disabled}
            onChange={(event) => change(key, { name: event.target.value })}
          />
          {secret ? (
            <SecretInput
              id={`${id}-${key}`}
              schema={schema}
              value={value}
              disabled={disabled}
              onChange={(next) => change(key, { value: next })}
              aria={{ ...aria, "aria-label": name ? `Value of ${name}` : "Value" }}
            />
          ) : (
            <input
              aria-label={name ? `Value of ${name}` : "Value"}
              placeholder="Value"
              value={String(value ?? "")}
              disabled={disabled}
              onChange={(event) => change(key, { value: event.target.value })}
            />
          )}
          <button
            type="button"
            className="icon-button"
            aria-label={name ? `Remove ${name}` : "Remove"}
            disabled={disabled}
            onClick={() => set(pairs.filter((pair) => pair.key !== key))}
          >
            <X size={15} />
          </button>
        </div>
      ))}
      <button type="button" className="button small" disabled={disabled} onClick={add}>
        <Plus size={14} aria-hidden="true" /> Add
      </button>
    </div>
  );
}

function pairsOf(value: unknown): readonly Pair[] {
  return Object.entries(asValues(value)).map(([name, held], key) => ({ key, name, value: held }));
}
