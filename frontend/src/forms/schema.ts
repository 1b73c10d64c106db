/** What a configuration form needs to know of a JSON Schema; no React here. */
import type { FieldError, JsonSchema } from "@/api/types";

export const MASK = "********";

export type FieldKind =
  | "string"
  | "long"
  | "secret"
  | "number"
  | "boolean"
  | "choice"
  | "choices"
  | "list"
  | "object"
  | "items"
  | "pairs"
  | "json";

export type Values = Readonly<Record<string, unknown>>;

export function kindOf(schema: JsonSchema): FieldKind {
  if (isSecret(schema)) return "secret";
  if (schema.enum) return "choice";
  const type = typeOf(schema);
  if (type === "boolean") return "boolean";
  if (type === "integer" || type === "number") return "number";
  if (type === "string") return isLong(schema) ? "long" : "string";
  if (type === "object" && schema.properties) return "object";
  if (type === "object" && holdsTexts(schema)) return "pairs";
  if (type === "array") return arrayKind(schema.items);
  return "json";
}

/** What the value can be edited as: a reference to a variable is a text, also where a list or an object would be. */
export function inputOf(schema: JsonSchema, value: unknown): FieldKind {
  const kind = kindOf(schema);
  const many = kind === "items" || kind === "pairs" || kind === "list" || kind === "choices";
  return many && typeof value === "string" ? "json" : kind;
}

const DEEPEST = 8;

/** The schema with its local `$ref`s put in place; one that refers to itself stays a reference, shown as JSON. */
export function dereferenced(root: JsonSchema): JsonSchema {
  const visit = (node: unknown, depth: number): unknown => {
    if (Array.isArray(node)) return node.map((item) => visit(item, depth));
    if (typeof node !== "object" || node === null || depth > DEEPEST) return node;
    const { $ref: ref, ...own } = node as { $ref?: unknown } & Record<string, unknown>;
    const found = typeof ref === "string" ? asValues(at(root, ref)) : {};
    const entries = Object.entries({ ...found, ...own }).filter(([key]) => key !== "$defs");
    const next = ref === undefined ? depth : depth + 1;
    return Object.fromEntries(entries.map(([key, value]) => [key, visit(value, next)]));
  };
  return visit(root, 0) as JsonSchema;
}

/** What a local reference such as `#/$defs/retry` points to. */
function at(root: JsonSchema, ref: string): unknown {
  if (!ref.startsWith("#/")) return undefined;
  const steps = ref.slice(2).split("/");
  return steps.reduce<unknown>(
    (node, step) => asValues(node)[step.replaceAll("~1", "/").replaceAll("~0", "~")],
    root,
  );
}

function arrayKind(items: JsonSchema | undefined): FieldKind {
  if (items?.enum) return "choices";
  if (items?.properties) return "items";
  return !items || ["string", "integer", "number"].includes(typeOf(items) ?? "") ? "list" : "json";
}

/** Whether it maps names of one's own choice to texts, such as headers. */
function holdsTexts({ additionalProperties: values }: JsonSchema): boolean {
  return typeof values === "object" && typeOf(values) === "string" && !values.enum;
}

export function isSecret({ format, writeOnly, secret }: JsonSchema): boolean {
  return secret === true || writeOnly === true || format === "password";
}

function isLong({ format, maxLength = 0 }: JsonSchema): boolean {
  return format === "textarea" || format === "markdown" || maxLength > 400;
}

/** `["string", "null"]` is a string that may be left out. */
export function typeOf({ type, properties }: JsonSchema): string | undefined {
  if (typeof type === "string") return type;
  return type?.find((one) => one !== "null") ?? (properties ? "object" : undefined);
}

/** `api_key` -> `Api key`, unless the schema has a title of its own. */
export function labelOf(name: string, { title }: JsonSchema): string {
  if (title) return title;
  const words = name
    .replace(/[_-]+/g, " ")
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The stored values, with the schema's defaults where nothing is stored. */
export function withDefaults(schema: JsonSchema, values: Values): Values {
  const filled: Record<string, unknown> = { ...values };
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const value = filled[name] ?? field.default;
    if (field.properties) filled[name] = withDefaults(field, asValues(value));
    else if (kindOf(field) === "items") filled[name] = eachItem(field, value, withDefaults);
    else if (filled[name] === undefined && field.default !== undefined) filled[name] = field.default;
  }
  return filled;
}

/** What is sent: fields left empty are left out, so that the plugin's own defaults hold. */
export function toSend(schema: JsonSchema, values: Values): Values {
  const sent: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const field = schema.properties?.[name];
    if (value === undefined || (value === "" && field && mayBeAbsent(schema, name, field))) continue;
    if (field?.properties) sent[name] = toSend(field, asValues(value));
    else sent[name] = field && kindOf(field) === "items" ? eachItem(field, value, toSend) : value;
  }
  return sent;
}

function eachItem(
  { items }: JsonSchema,
  value: unknown,
  change: (schema: JsonSchema, item: Values) => Values,
): unknown {
  return Array.isArray(value) && items ? value.map((item) => change(items, asValues(item))) : value;
}

function mayBeAbsent(schema: JsonSchema, name: string, field: JsonSchema): boolean {
  return kindOf(field) !== "string" || !schema.required?.includes(name);
}

export function asValues(value: unknown): Values {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Values) : {};
}

/** What can be said without asking the server: something is missing, or is no number. */
export function check(schema: JsonSchema, values: Values, base = ""): readonly FieldError[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const pointer = pointerTo(base, name);
    const value = values[name];
    if (field.properties) return check(field, asValues(value), pointer);
    const { items } = field;
    if (items && kindOf(field) === "items" && Array.isArray(value))
      return value.flatMap((item, at) => check(items, asValues(item), pointerTo(pointer, String(at))));
    const message = complaint(field, value, schema.required?.includes(name) ?? false);
    return message ? [{ pointer, message }] : [];
  });
}

function complaint(field: JsonSchema, value: unknown, required: boolean): string | undefined {
  const empty = value === undefined || value === null || value === "";
  if (empty) return required ? "This is needed." : undefined;
  const kind = kindOf(field);
  if (kind === "number") return numberComplaint(field, value);
  if (kind === "json" && typeof value === "string" && typeOf(field) !== undefined)
    return "This is not valid JSON.";
  return undefined;
}

function numberComplaint(field: JsonSchema, value: unknown): string | undefined {
  if (typeof value !== "number") return "This is not a number.";
  if (typeOf(field) === "integer" && !Number.isInteger(value)) return "This must be a whole number.";
  if (field.minimum !== undefined && value < field.minimum) return `The least is ${field.minimum}.`;
  if (field.maximum !== undefined && value > field.maximum) return `The most is ${field.maximum}.`;
  return undefined;
}

export function pointerTo(base: string, name: string): string {
  return `${base}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** Servers write `/config/api_key`, `#/api_key` or `/api_key`; a form has `/api_key`. */
export function normalized(pointer: string, schema: JsonSchema): string {
  const bare = pointer.replace(/^#/, "");
  const wrapped = bare.startsWith("/config/") && !schema.properties?.config;
  return wrapped ? bare.slice("/config".length) : bare;
}

/** Messages for one field: its own, and for a list also those of its items. */
export function messagesAt(errors: readonly FieldError[], pointer: string, deep: boolean): readonly string[] {
  const fits = (at: string) => at === pointer || (deep && at.startsWith(`${pointer}/`));
  return errors.filter((error) => fits(error.pointer)).map((error) => error.message);
}

/** Errors that no field of the form can show. */
export function strayErrors(schema: JsonSchema, errors: readonly FieldError[]): readonly FieldError[] {
  const names = Object.keys(schema.properties ?? {}).map((name) => pointerTo("", name));
  return errors.filter(
    ({ pointer }) => !names.some((name) => pointer === name || pointer.startsWith(`${name}/`)),
  );
}

/** The text of a number field as a number where it is one; else the text, which `check` complains about. */
export function parseNumber(text: string): number | string | undefined {
  if (text.trim() === "") return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}
