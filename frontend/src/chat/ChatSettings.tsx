import { type FormEvent, useId, useState } from "react";
import { changeConversation } from "@/api/chat";
import { ApiError } from "@/api/http";
import type { ChatParams, ConversationSettings } from "@/api/types";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/states";
import { type ChatSession, NO_SETTINGS, type SessionState } from "./session";

interface NumberParam {
  readonly name: keyof ChatParams & string;
  readonly label: string;
  readonly help: string;
  readonly min?: number;
  readonly max?: number;
  readonly step: number;
}

const NUMBERS: readonly NumberParam[] = [
  {
    name: "temperature",
    label: "Temperature",
    help: "0: always the likeliest words; 1 and more: more surprising ones",
    min: 0,
    max: 2,
    step: 0.1,
  },
  {
    name: "top_p",
    label: "Top P",
    help: "Leave out unlikely words; 1 leaves out none",
    min: 0.01,
    max: 1,
    step: 0.01,
  },
  {
    name: "max_tokens",
    label: "Longest answer",
    help: "In tokens; about four characters each",
    min: 1,
    step: 1,
  },
  { name: "seed", label: "Seed", help: "The same number, the same answer, where the model can", step: 1 },
];

const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh"] as const;

interface SettingsProps {
  readonly session: ChatSession;
  readonly state: SessionState;
  readonly onClose: () => void;
}

/** What every answer of this conversation heeds. */
export function ChatSettings({ session, state, onClose }: SettingsProps) {
  const [prompt, setPrompt] = useState(state.settings.system_prompt);
  const [params, setParams] = useState<ChatParams>(state.settings.params);
  const [error, setError] = useState<unknown>();
  const [saving, setSaving] = useState(false);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setSaving(true);
    try {
      await keep(session, state.id, { system_prompt: prompt, params });
      onClose();
    } catch (failed) {
      setError(failed);
      setSaving(false);
    }
  };
  const clear = () => {
    setPrompt("");
    setParams({});
  };
  return (
    <Dialog title="Instructions and parameters" subtitle="For this chat only" onClose={onClose}>
      <form onSubmit={save} className="chat-settings" data-testid="chat-settings-form">
        <label>
          Instructions
          <textarea
            rows={6}
            maxLength={100_000}
            value={prompt}
            placeholder="What every answer heeds, such as: You are a patient teacher. Answer in French."
            onChange={(event) => setPrompt(event.target.value)}
          />
        </label>
        <div className="params">
          {NUMBERS.map((param) => (
            <NumberField key={param.name} param={param} params={params} onChange={setParams} />
          ))}
          <EffortField params={params} onChange={setParams} />
        </div>
        <p className="muted">What is left empty is the model's own choice.</p>
        {Boolean(error) && <Problem error={error} />}
        {error instanceof ApiError &&
          error.fieldErrors.map(({ pointer, message }) => <p key={pointer}>{message}</p>)}
        <div className="dialog-actions sticky">
          <button type="button" className="button ghost" onClick={clear}>
            Clear all
          </button>
          <button type="submit" className="button primary" disabled={saving}>
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** A new conversation keeps them in the page until its first message makes it. */
async function keep(session: ChatSession, id: string | null, settings: ConversationSettings): Promise<void> {
  if (id) await changeConversation(id, settings);
  const isEmpty = !settings.system_prompt && Object.keys(settings.params).length === 0;
  session.take({ settings: isEmpty ? NO_SETTINGS : settings });
}

interface FieldProps {
  readonly params: ChatParams;
  readonly onChange: (params: ChatParams) => void;
}

function NumberField({ param, params, onChange }: FieldProps & { param: NumberParam }) {
  const { name, label, help, ...range } = param;
  const helpId = useId();
  const value = params[name];
  return (
    <label>
      {label}
      <input
        type="number"
        {...range}
        value={typeof value === "number" ? value : ""}
        placeholder="model's choice"
        aria-describedby={helpId}
        onChange={({ target }) =>
          onChange(withParam(params, name, target.value ? target.valueAsNumber : undefined))
        }
      />
      <small id={helpId}>{help}</small>
    </label>
  );
}

function EffortField({ params, onChange }: FieldProps) {
  const value = params.reasoning_effort;
  return (
    <label>
      Reasoning effort
      <select
        value={typeof value === "string" ? value : ""}
        onChange={({ target }) => onChange(withParam(params, "reasoning_effort", target.value || undefined))}
      >
        <option value="">model's choice</option>
        {EFFORTS.map((effort) => (
          <option key={effort}>{effort}</option>
        ))}
      </select>
      <small>For models that think before they answer</small>
    </label>
  );
}

function withParam(params: ChatParams, name: string, value: unknown): ChatParams {
  const { [name]: _, ...others } = params;
  return value === undefined || Number.isNaN(value) ? others : { ...others, [name]: value };
}
