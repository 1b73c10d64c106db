import { type FormEvent, useState } from "react";
import { ApiError } from "@/api/http";
import type { Webhook, WebhookDraft } from "@/api/shapes";
import type { FieldError, JsonSchema } from "@/api/types";
import * as api from "@/api/webhooks";
import { usePluginList } from "@/app/queries";
import { SchemaForm } from "@/forms/SchemaForm";
import { check, normalized, strayErrors, type Values } from "@/forms/schema";
import { Dialog } from "@/ui/Dialog";
import { Problem, Spinner } from "@/ui/states";
import { refreshWebhooks } from "./WebhookState";

const EVENTS = [
  "plugin_discovered",
  "plugin_installed",
  "plugin_loading",
  "plugin_loaded",
  "plugin_reloaded",
  "plugin_unloaded",
  "plugin_failed",
  "plugin_config_changed",
  "plugin_crashed",
  "plugin_recovered",
  "execution_started",
  "execution_progress",
  "execution_finished",
] as const;

interface WebhookFormProps {
  /** What is edited; without it a new one is made. */
  readonly webhook?: Webhook;
  readonly onSaved: (webhook: Webhook) => void;
  readonly onClose: () => void;
}

export function WebhookForm({ webhook, onSaved, onClose }: WebhookFormProps) {
  const { data: plugins = [] } = usePluginList();
  const schema = schemaFor(
    [...new Set([...plugins.map(({ id }) => id), ...(webhook?.plugins ?? [])])].sort(),
  );
  const [values, setValues] = useState<Values>(() => draftOf(webhook));
  const [own, setOwn] = useState<readonly FieldError[]>([]);
  const [failure, setFailure] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const errors = own.length > 0 ? own : errorsOf(failure, schema);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const complaints = check(schema, values);
    setOwn(complaints);
    setFailure(undefined);
    if (complaints.length > 0) return;
    setBusy(true);
    try {
      const draft = values as WebhookDraft;
      onSaved(webhook ? await api.changeWebhook(webhook.id, draft) : await api.addWebhook(draft));
      refreshWebhooks();
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  };
  return (
    <Dialog kind="drawer" title={webhook ? `Edit ${webhook.name}` : "Add a webhook"} onClose={onClose}>
      <form className="config-form" onSubmit={save} noValidate>
        {failure !== undefined && !onlyFields(failure, schema, errors) && <Problem error={failure} />}
        <SchemaForm schema={schema} values={values} errors={errors} onChange={setValues} disabled={busy} />
        <div className="dialog-actions sticky">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={busy} data-testid="webhook-save">
            {busy ? <Spinner size={14} /> : webhook ? "Save" : "Add"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function draftOf(webhook: Webhook | undefined): Values {
  const { name = "", url = "", events = [], plugins = [] } = webhook ?? {};
  return { name, url, events, plugins };
}

function schemaFor(plugins: readonly string[]): JsonSchema {
  return {
    required: ["name", "url"],
    properties: {
      name: { type: "string", maxLength: 100, description: "What you call it.", examples: ["Deploy bot"] },
      url: {
        type: "string",
        format: "uri",
        title: "Address",
        description: "Where messages are posted to.",
        examples: ["https://example.com/hooks/studio"],
      },
      events: {
        type: "array",
        items: { type: "string", enum: EVENTS },
        description: "None chosen: all of them, except the progress of executions.",
      },
      plugins: {
        type: "array",
        items: { type: "string", enum: plugins },
        description: "None chosen: the events of all plugins.",
      },
    },
  };
}

/** An address that is refused is a matter of the address field, also where the server names no field. */
function errorsOf(failure: unknown, schema: JsonSchema): readonly FieldError[] {
  if (!(failure instanceof ApiError)) return [];
  if (failure.code === "address_refused" && failure.fieldErrors.length === 0)
    return [{ pointer: "/url", message: failure.message }];
  return failure.fieldErrors.map((error) => ({ ...error, pointer: normalized(error.pointer, schema) }));
}

function onlyFields(failure: unknown, schema: JsonSchema, errors: readonly FieldError[]): boolean {
  return failure instanceof ApiError && errors.length > 0 && strayErrors(schema, errors).length === 0;
}
