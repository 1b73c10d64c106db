import { fireEvent, render, screen, within } from "@testing-library/react";
import { useState } from "react";
import { expect, test } from "vitest";
import type { FieldError, JsonSchema } from "@/api/types";
import { SchemaForm } from "./SchemaForm";
import {
  check,
  dereferenced,
  MASK,
  messagesAt,
  normalized,
  strayErrors,
  toSend,
  type Values,
  withDefaults,
} from "./schema";

const SCHEMA: JsonSchema = {
  type: "object",
  required: ["api_key", "region"],
  properties: {
    timeout: { type: "integer", minimum: 1, maximum: 300, default: 30, description: "In seconds." },
    rate: { type: "number" },
    api_key: { type: "string", format: "password" },
    region: { enum: ["eu", "us"] },
    stream: { type: "boolean", default: true },
    features: { type: "array", items: { type: "string" } },
    scopes: { type: "array", items: { enum: ["read", "write"] } },
    retry: { type: "object", title: "Retries", properties: { attempts: { type: "integer", default: 2 } } },
    extra: { type: "object", additionalProperties: true } as JsonSchema,
  },
};

let now: Values = {};

function Harness({ stored, errors = [] }: { stored: Values; errors?: readonly FieldError[] }) {
  const [values, setValues] = useState(() => withDefaults(SCHEMA, stored));
  now = values;
  return <SchemaForm schema={SCHEMA} values={values} errors={errors} onChange={setValues} />;
}

const field = (name: string) => within(screen.getByTestId(`field-${name}`));
const type = (element: HTMLElement, value: string) => fireEvent.change(element, { target: { value } });

test("every kind of setting has its input, required ones first, and defaults are filled in", () => {
  render(<Harness stored={{ api_key: MASK }} />);
  const names = [...document.querySelectorAll("[data-testid^=field-]")].map((one) =>
    one.getAttribute("data-testid"),
  );
  expect(names.slice(0, 2)).toEqual(["field-api_key", "field-region"]);
  expect(field("timeout").getByRole<HTMLInputElement>("textbox").value).toBe("30");
  expect(field("timeout").getByText("In seconds. (1 to 300)")).toBeTruthy();
  expect(field("stream").getByRole<HTMLInputElement>("switch").checked).toBe(true);
  expect(field("retry/attempts").getByRole<HTMLInputElement>("textbox").value).toBe("2");
});

test("what is typed comes out with its type", () => {
  render(<Harness stored={{}} />);
  type(field("timeout").getByRole("textbox"), "45");
  type(field("rate").getByRole("textbox"), "0.5");
  type(field("region").getByRole("combobox"), "1");
  fireEvent.click(field("stream").getByRole("switch"));
  fireEvent.click(field("scopes").getByLabelText("write"));
  type(field("retry/attempts").getByRole("textbox"), "4");
  type(field("extra").getByRole("textbox"), '{"a": [1]}');
  expect(now).toMatchObject({
    timeout: 45,
    rate: 0.5,
    region: "us",
    stream: false,
    scopes: ["write"],
    retry: { attempts: 4 },
    extra: { a: [1] },
  });
});

test("a list grows by Enter and comma and shrinks by Backspace", () => {
  render(<Harness stored={{}} />);
  const input = field("features").getByRole("textbox");
  type(input, "tools");
  fireEvent.keyDown(input, { key: "Enter" });
  type(input, "vision");
  fireEvent.keyDown(input, { key: "," });
  expect(now.features).toEqual(["tools", "vision"]);
  fireEvent.keyDown(input, { key: "Backspace" });
  expect(now.features).toEqual(["tools"]);
  fireEvent.click(field("features").getByLabelText("Remove tools"));
  expect(now.features).toEqual([]);
});

test("a stored secret is not shown; kept it is sent as the mask, replaced as itself, removed not at all", () => {
  render(<Harness stored={{ api_key: MASK }} />);
  const secret = field("api_key");
  expect(secret.getByText("Stored")).toBeTruthy();
  expect(secret.queryByDisplayValue(MASK)).toBeNull();
  expect(toSend(SCHEMA, now).api_key).toBe(MASK);
  fireEvent.click(secret.getByText("Replace"));
  const input = document.querySelector<HTMLInputElement>("input[type=password]") as HTMLInputElement;
  type(input, "sk-new");
  expect(toSend(SCHEMA, now).api_key).toBe("sk-new");
  type(input, "");
  expect("api_key" in toSend(SCHEMA, now)).toBe(false);
});

test("an error stands at its field, in words, and marks it", () => {
  const errors = [
    { pointer: "/timeout", message: "400 is more than 300" },
    { pointer: "/retry/attempts", message: "must not be negative" },
  ];
  render(<Harness stored={{}} errors={errors} />);
  expect(field("timeout").getByRole("alert").textContent).toBe("400 is more than 300");
  expect(field("timeout").getByRole("textbox").getAttribute("aria-invalid")).toBe("true");
  expect(field("retry/attempts").getByRole("alert").textContent).toBe("must not be negative");
  expect(field("rate").queryByRole("alert")).toBeNull();
});

test("what needs no server is said before asking it", () => {
  const errors = check(SCHEMA, {
    timeout: "soon",
    rate: 1,
    retry: { attempts: 1.5 },
    region: "eu",
    extra: "{",
  });
  expect(errors).toEqual([
    { pointer: "/timeout", message: "This is not a number." },
    { pointer: "/api_key", message: "This is needed." },
    { pointer: "/retry/attempts", message: "This must be a whole number." },
    { pointer: "/extra", message: "This is not valid JSON." },
  ]);
});

test("pointers of the server find their field, whichever way it writes them", () => {
  for (const pointer of ["/timeout", "#/timeout", "/config/timeout", "#/config/timeout"]) {
    expect(normalized(pointer, SCHEMA)).toBe("/timeout");
  }
  const errors = [{ pointer: "/features/1", message: "too long" }];
  expect(messagesAt(errors, "/features", true)).toEqual(["too long"]);
  expect(strayErrors(SCHEMA, [...errors, { pointer: "", message: "whole" }])).toEqual([
    { pointer: "", message: "whole" },
  ]);
});

test("references inside the schema are followed, and one to itself ends", () => {
  const schema = {
    properties: { retry: { $ref: "#/$defs/retry" }, tree: { $ref: "#/$defs/tree" } },
    $defs: {
      retry: { type: "object", properties: { attempts: { type: "integer" } } },
      tree: { type: "object", properties: { child: { $ref: "#/$defs/tree" } } },
    },
  } as JsonSchema;
  const { properties } = dereferenced(schema);
  expect(properties?.retry).toEqual({ type: "object", properties: { attempts: { type: "integer" } } });
  expect(properties?.tree?.properties?.child?.type).toBe("object");
});

const SERVERS: JsonSchema = {
  type: "object",
  properties: {
    servers: {
      type: "array",
      items: {
        type: "object",
        required: ["name"],
        properties: {
          name: { type: "string", title: "Name" },
          enabled: { type: "boolean", default: true },
          headers: { type: "object", additionalProperties: { type: "string", format: "password" } },
        },
      },
    },
  },
};

function Servers({ stored, errors = [] }: { stored: Values; errors?: readonly FieldError[] }) {
  const [values, setValues] = useState(() => withDefaults(SERVERS, stored));
  now = values;
  return <SchemaForm schema={SERVERS} values={values} errors={errors} onChange={setValues} />;
}

test("a list of things has a card for each, which can be added, filled in and removed", () => {
  render(<Servers stored={{ servers: [{ name: "one" }, { name: "two" }] }} />);
  expect(now).toEqual({
    servers: [
      { name: "one", enabled: true },
      { name: "two", enabled: true },
    ],
  });
  fireEvent.click(screen.getByRole("button", { name: "Remove one" }));
  expect(field("servers/0/name").getByRole<HTMLInputElement>("textbox").value).toBe("two");
  const adds = screen.getAllByRole("button", { name: "Add" });
  fireEvent.click(adds.at(-1) as HTMLElement);
  expect(check(SERVERS, now)).toEqual([{ pointer: "/servers/1/name", message: "This is needed." }]);
  type(field("servers/1/name").getByRole("textbox"), "three");
  expect(toSend(SERVERS, now)).toEqual({
    servers: [
      { name: "two", enabled: true },
      { name: "three", enabled: true },
    ],
  });
});

test("names with texts are rows; a stored secret stays, and a row without a name is not sent", () => {
  render(<Servers stored={{ servers: [{ name: "one", headers: { Authorization: MASK } }] }} />);
  const headers = field("servers/0/headers");
  expect(headers.getByText("Stored")).toBeTruthy();
  fireEvent.click(headers.getByRole("button", { name: "Add" }));
  fireEvent.change(headers.getByLabelText("Value"), { target: { value: "s3cret" } });
  expect(now).toMatchObject({ servers: [{ headers: { Authorization: MASK } }] });
  fireEvent.change(headers.getAllByLabelText("Name").at(-1) as HTMLElement, { target: { value: "X-Key" } });
  expect(now).toMatchObject({ servers: [{ headers: { Authorization: MASK, "X-Key": "s3cret" } }] });
  fireEvent.click(headers.getByRole("button", { name: "Remove Authorization" }));
  expect(now).toEqual({ servers: [{ name: "one", enabled: true, headers: { "X-Key": "s3cret" } }] });
});

test("a card with a mistake in it is open and shows it", () => {
  const errors = [{ pointer: "/servers/0/name", message: "It is taken." }];
  render(<Servers stored={{ servers: [{ name: "one" }] }} errors={errors} />);
  expect(screen.getByText("It is taken.").closest("details")?.open).toBe(true);
});

test("a reference to a variable where a list would be is shown, and stays as it is", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: so a variable is named in a configuration
  const stored = { features: "${ENV:FEATURES}", api_key: MASK, region: "eu" };
  render(<Harness stored={stored} />);
  expect(field("features").getByRole<HTMLTextAreaElement>("textbox").value).toBe(
    JSON.stringify(stored.features),
  );
  expect(check(SCHEMA, now)).toEqual([]);
  expect(toSend(SCHEMA, now).features).toBe(stored.features);
});

test("a reference that stands for a whole list is shown, and stays", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the studio's own writing
  const stored = { servers: "${ENV:SERVERS}" };
  render(<Servers stored={stored} />);
  expect(field("servers").getByRole<HTMLTextAreaElement>("textbox").value).toBe(`"${stored.servers}"`);
  expect(toSend(SERVERS, now)).toEqual(stored);
});
