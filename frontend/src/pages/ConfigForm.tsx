import { type FormEvent, useState } from "react";
import { ApiError } from "@/api/http";
import * as studio from "@/api/studio";
import type { FieldError, Plugin } from "@/api/types";
import { putPlugin, refreshPlugins } from "@/app/wiring";
import { SchemaForm } from "@/forms/SchemaForm";
import { check, dereferenced, normalized, strayErrors, toSend, withDefaults } from "@/forms/schema";
import { Spinner } from "@/ui/states";
import { toast } from "@/ui/toasts";

interface ConfigFormProps {
  readonly plugin: Plugin;
  /** Loading was refused because of the configuration: say why, and load when it is put right. */
  readonly problem?: ApiError | undefined;
  /** Saved, or given up. */
  readonly onClose: (saved: boolean) => void;
  readonly closeLabel?: string;
}

export function isConfigurable({ config_schema }: Plugin): boolean {
  return Object.keys(config_schema?.properties ?? {}).length > 0;
}

export function ConfigForm({ plugin, problem, onClose, closeLabel = "Cancel" }: ConfigFormProps) {
  const schema = dereferenced(plugin.config_schema ?? {});
  const [values, setValues] = useState(() => withDefaults(schema, plugin.config ?? {}));
  const [failure, setFailure] = useState<unknown>(problem);
  const [own, setOwn] = useState<readonly FieldError[]>([]);
  const [busy, setBusy] = useState(false);
  const errors = own.length > 0 ? own : fieldErrors(failure, schema);
  const stray = strayErrors(schema, errors);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const complaints = check(schema, values);
    setOwn(complaints);
    setFailure(undefined);
    if (complaints.length > 0) return;
    setBusy(true);
    try {
      await send(plugin, toSend(schema, values), problem !== undefined);
      onClose(true);
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
      refreshPlugins();
    }
  };
  return (
    <form className="config-form" onSubmit={save} noValidate>
      {failure !== undefined && <FormFailure failure={failure} stray={stray} />}
      <SchemaForm schema={schema} values={values} errors={errors} onChange={setValues} disabled={busy} />
      <div className="dialog-actions sticky">
        <button type="button" className="button" onClick={() => onClose(false)}>
          {closeLabel}
        </button>
        <button type="submit" className="button primary" disabled={busy} data-testid="config-save">
          {busy ? <Spinner size={14} /> : problem ? "Save and load" : "Save"}
        </button>
      </div>
    </form>
  );
}

async function send(plugin: Plugin, config: Plugin["config"] & object, load: boolean): Promise<void> {
  putPlugin(
    load ? await studio.loadPlugin(plugin.id, { config }) : await studio.configurePlugin(plugin.id, config),
  );
  const swapped = plugin.state === "active";
  const text = load
    ? `${plugin.name} is loaded.`
    : `Saved.${swapped ? ` ${plugin.name} was swapped to it.` : ""}`;
  toast({ text, tone: "good" });
}

function fieldErrors(failure: unknown, schema: Plugin["config_schema"] & object): readonly FieldError[] {
  if (!(failure instanceof ApiError)) return [];
  return failure.fieldErrors.map((error) => ({ ...error, pointer: normalized(error.pointer, schema) }));
}

function FormFailure({ failure, stray }: { failure: unknown; stray: readonly FieldError[] }) {
  const text = failure instanceof Error ? failure.message : String(failure);
  return (
    <div className="form-error" role="alert">
      <p>{text}</p>
      {stray.map(({ pointer, message }) => (
        <p key={pointer + message}>
          {pointer && <code>{pointer}</code>} {message}
        </p>
      ))}
    </div>
  );
}
