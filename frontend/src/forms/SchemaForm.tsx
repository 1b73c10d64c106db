import type { FieldError, JsonSchema } from "@/api/types";
import { Field } from "./Field";
import { ItemsGroup } from "./ItemsGroup";
import { asValues, inputOf, pointerTo, type Values } from "./schema";

interface SchemaFormProps {
  readonly schema: JsonSchema;
  readonly values: Values;
  readonly errors: readonly FieldError[];
  readonly onChange: (values: Values) => void;
  readonly base?: string;
  readonly disabled?: boolean;
}

/** The fields of an object schema, nested objects as groups. Required ones come first, as they are to be filled in. */
export function SchemaForm({
  schema,
  values,
  errors,
  onChange,
  base = "",
  disabled = false,
}: SchemaFormProps) {
  const change = (name: string, value: unknown) => onChange({ ...values, [name]: value });
  const nested = (field: JsonSchema, held: unknown, at: string, set: (value: Values) => void) => (
    <SchemaForm
      schema={field}
      values={asValues(held)}
      errors={errors}
      onChange={set}
      base={at}
      disabled={disabled}
    />
  );
  return (
    <div className="schema-form">
      {fieldsOf(schema).map(([name, field]) => {
        const pointer = pointerTo(base, name);
        const set = (value: unknown) => change(name, value);
        const common = { name, schema: field, value: values[name], pointer, errors, disabled, onChange: set };
        if (inputOf(field, values[name]) === "items")
          return <ItemsGroup key={name} {...common} render={nested} />;
        if (!field.properties) {
          return <Field key={name} {...common} required={schema.required?.includes(name) ?? false} />;
        }
        return (
          <fieldset key={name} className="field-group" disabled={disabled}>
            <legend>{field.title ?? name}</legend>
            {field.description && <p className="field-help">{field.description}</p>}
            {nested(field, values[name], pointer, set)}
          </fieldset>
        );
      })}
    </div>
  );
}

function fieldsOf({ properties = {}, required = [] }: JsonSchema): [string, JsonSchema][] {
  const fields = Object.entries(properties);
  return [
    ...fields.filter(([name]) => required.includes(name)),
    ...fields.filter(([name]) => !required.includes(name)),
  ];
}
