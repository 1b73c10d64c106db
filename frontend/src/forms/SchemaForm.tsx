import type { FieldError, JsonSchema } from "@/api/types";
import { Field } from "./Field";
import { asValues, pointerTo, type Values } from "./schema";

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
  return (
    <div className="schema-form">
      {fieldsOf(schema).map(([name, field]) =>
        field.properties ? (
          <fieldset key={name} className="field-group" disabled={disabled}>
            <legend>{field.title ?? name}</legend>
            {field.description && <p className="field-help">{field.description}</p>}
            <SchemaForm
              schema={field}
              values={asValues(values[name])}
              errors={errors}
              onChange={(value) => change(name, value)}
              base={pointerTo(base, name)}
              disabled={disabled}
            />
          </fieldset>
        ) : (
          <Field
            key={name}
            name={name}
            schema={field}
            value={values[name]}
            pointer={pointerTo(base, name)}
            required={schema.required?.includes(name) ?? false}
            errors={errors}
            disabled={disabled}
            onChange={(value) => change(name, value)}
          />
        ),
      )}
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
