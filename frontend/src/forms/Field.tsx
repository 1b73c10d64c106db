import { type ReactNode, useId, useState } from "react";
import type { FieldError, JsonSchema } from "@/api/types";
import { ListInput } from "./ListInput";
import { PairsInput } from "./PairsInput";
import { SecretInput } from "./SecretInput";
import { type FieldKind, inputOf, labelOf, messagesAt, parseNumber } from "./schema";

interface FieldProps {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly value: unknown;
  readonly pointer: string;
  readonly required: boolean;
  readonly disabled: boolean;
  readonly errors: readonly FieldError[];
  readonly onChange: (value: unknown) => void;
}

export interface InputProps {
  readonly id: string;
  readonly schema: JsonSchema;
  readonly value: unknown;
  readonly disabled: boolean;
  readonly onChange: (value: unknown) => void;
  readonly aria: {
    readonly "aria-invalid": boolean;
    readonly "aria-describedby": string;
    readonly "aria-required": boolean;
    readonly name: string;
    readonly "aria-label"?: string;
  };
}

/** One setting: its label, its input, what it is for, and what is wrong with it. */
export function Field({ name, schema, value, pointer, required, disabled, errors, onChange }: FieldProps) {
  const id = useId();
  const kind = inputOf(schema, value);
  const messages = messagesAt(errors, pointer, true);
  const aria = {
    "aria-invalid": messages.length > 0,
    "aria-describedby": `${id}-help`,
    "aria-required": required,
    name: pointer.slice(1),
  };
  const Input = INPUTS[kind];
  const input = <Input {...{ id, schema, value, disabled, onChange, aria }} />;
  return (
    <div
      className={kind === "boolean" ? "field field-switch" : "field"}
      data-testid={`field-${pointer.slice(1)}`}
    >
      <label className="field-label" htmlFor={id}>
        {labelOf(name, schema)}
        {required && <span className="field-required">required</span>}
      </label>
      {input}
      <div id={`${id}-help`} className="field-notes">
        {messages.map((message) => (
          <p key={message} className="field-error" role="alert">
            {message}
          </p>
        ))}
        <Help schema={schema} kind={kind} />
      </div>
    </div>
  );
}

function Help({ schema, kind }: { schema: JsonSchema; kind: FieldKind }): ReactNode {
  const { description, minimum, maximum } = schema;
  const range = kind === "number" && rangeText(minimum, maximum);
  if (!description && !range) return null;
  return <p className="field-help">{withCode([description, range].filter(Boolean).join(" "))}</p>;
}

/** Text with what stands between backticks as code. */
function withCode(text: string): ReactNode {
  // biome-ignore lint/suspicious/noArrayIndexKey: the text never changes
  return text.split("`").map((part, at) => (at % 2 ? <code key={at}>{part}</code> : part));
}

function rangeText(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum !== undefined && maximum !== undefined) return `(${minimum} to ${maximum})`;
  if (minimum !== undefined) return `(at least ${minimum})`;
  return maximum === undefined ? "" : `(at most ${maximum})`;
}

function TextInput({ id, schema, value, disabled, onChange, aria }: InputProps) {
  const type = schema.format === "uri" ? "url" : schema.format === "email" ? "email" : "text";
  return (
    <input
      {...aria}
      id={id}
      type={type}
      value={String(value ?? "")}
      placeholder={placeholder(schema)}
      disabled={disabled}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

function LongInput({ id, value, disabled, onChange, aria }: InputProps) {
  return (
    <textarea
      {...aria}
      id={id}
      rows={4}
      value={String(value ?? "")}
      disabled={disabled}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

function NumberInput({ id, schema, value, disabled, onChange, aria }: InputProps) {
  // The text is kept, so that "1." can become "1.5".
  const [text, setText] = useState(value === undefined || value === null ? "" : String(value));
  return (
    <input
      {...aria}
      id={id}
      inputMode="decimal"
      className="short"
      value={text}
      placeholder={placeholder(schema)}
      disabled={disabled}
      onChange={(event) => {
        setText(event.target.value);
        onChange(parseNumber(event.target.value));
      }}
    />
  );
}

function SwitchInput({ id, value, disabled, onChange, aria }: InputProps) {
  return (
    <input
      {...aria}
      id={id}
      type="checkbox"
      role="switch"
      className="switch"
      checked={value === true}
      aria-checked={value === true}
      disabled={disabled}
      onChange={(event) => onChange(event.target.checked)}
    />
  );
}

function ChoiceInput({ id, schema, value, disabled, onChange, aria }: InputProps) {
  const choices = schema.enum ?? [];
  const index = choices.indexOf(value);
  return (
    <select
      {...aria}
      id={id}
      value={index}
      disabled={disabled}
      onChange={(event) => onChange(choices[Number(event.target.value)])}
    >
      {index < 0 && <option value={-1}>Choose…</option>}
      {choices.map((choice, at) => (
        <option key={String(choice)} value={at}>
          {String(choice)}
        </option>
      ))}
    </select>
  );
}

function ChoicesInput({ id, schema, value, disabled, onChange }: InputProps) {
  const chosen = Array.isArray(value) ? value : [];
  const toggle = (choice: unknown, on: boolean) =>
    onChange(on ? [...chosen, choice] : chosen.filter((one) => one !== choice));
  return (
    <div id={id} className="choices">
      {(schema.items?.enum ?? []).map((choice) => (
        <label key={String(choice)}>
          <input
            type="checkbox"
            checked={chosen.includes(choice)}
            disabled={disabled}
            onChange={(event) => toggle(choice, event.target.checked)}
          />{" "}
          {String(choice)}
        </label>
      ))}
    </div>
  );
}

/** For what no other input can show. What is no JSON yet stays text, which the form complains about. */
function JsonInput({ id, value, disabled, onChange, aria }: InputProps) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const change = (next: string) => {
    setText(next);
    try {
      onChange(next.trim() ? JSON.parse(next) : undefined);
    } catch {
      onChange(next);
    }
  };
  return (
    <textarea
      {...aria}
      id={id}
      rows={5}
      className="mono"
      spellCheck={false}
      value={text}
      disabled={disabled}
      onChange={(event) => change(event.target.value)}
    />
  );
}

function placeholder({ examples, default: fallback }: JsonSchema): string {
  const hint = examples?.[0] ?? fallback;
  return hint === undefined || hint === null || typeof hint === "object" ? "" : String(hint);
}

const INPUTS: Record<FieldKind, (props: InputProps) => ReactNode> = {
  string: TextInput,
  long: LongInput,
  secret: SecretInput,
  number: NumberInput,
  boolean: SwitchInput,
  choice: ChoiceInput,
  choices: ChoicesInput,
  list: ListInput,
  object: JsonInput,
  items: JsonInput,
  pairs: PairsInput,
  json: JsonInput,
};
