import { FlaskConical, Hourglass, X } from "lucide-react";
import { useState } from "react";
import * as management from "@/api/management";
import type { EnvironmentProgress } from "@/api/shapes";
import type { Plugin } from "@/api/types";
import { putPlugin, refreshPlugins } from "@/app/wiring";
import { ProgressBar } from "@/ui/ProgressBar";
import { toast, toastError } from "@/ui/toasts";
import { When } from "@/ui/When";
import { FaultNote } from "./FaultNote";

/** What goes on with a plugin, and what went wrong with it. */
export function PluginNotes({ plugin, operator }: { plugin: Plugin; operator: boolean }) {
  return (
    <div className="plugin-notes">
      <ChangeNote plugin={plugin} operator={operator} />
      <SoakNote plugin={plugin} />
      {plugin.last_error && <FaultNote fault={plugin.last_error} />}
    </div>
  );
}

/** A change on its way: its words, how far it is, and a way to stop it. */
export function ChangeNote({ plugin, operator }: { plugin: Plugin; operator: boolean }) {
  const { id, change, environment, message } = plugin;
  const installing = change?.state === "installing" || plugin.state === "installing";
  if (!change && !installing) return message ? <SlowNote text={message} /> : null;
  const text = installing ? installingText(environment) : message || startingText(plugin);
  return (
    <div className="change-note" data-testid={`plugin-change-${id}`}>
      <p role="status">
        {text}
        {change?.by && (
          <span className="muted">
            {" "}
            for {change.by}, <When at={change.at} />
          </span>
        )}
      </p>
      <ProgressBar
        label={`Progress of ${plugin.name}`}
        fraction={installing ? (environment?.fraction ?? null) : null}
      />
      {installing && operator && <CancelButton plugin={plugin} />}
    </div>
  );
}

function installingText(environment: EnvironmentProgress | null | undefined): string {
  const { message = "", fraction = null } = environment ?? {};
  const part = fraction === null ? "" : ` ${Math.round(fraction * 100)} %`;
  return `${message || "Installing its Python packages"}${part ? "," : "…"}${part}`;
}

function startingText({ change, generation }: Plugin): string {
  const old = generation && generation !== change?.generation ? ` Generation ${generation} serves on.` : "";
  return `Starting generation ${change?.generation}…${old}`;
}

function CancelButton({ plugin: { id, name } }: { plugin: Plugin }) {
  const [busy, setBusy] = useState(false);
  const cancel = async () => {
    setBusy(true);
    try {
      putPlugin(await management.cancelChange(id));
      toast({ text: `The installation for ${name} was cancelled.` });
    } catch (error) {
      toastError(`The installation for ${name} goes on.`, error);
    } finally {
      setBusy(false);
      refreshPlugins();
    }
  };
  return (
    <button
      type="button"
      className="button small"
      disabled={busy}
      onClick={cancel}
      aria-label={`Cancel the installation for ${name}`}
      data-testid={`plugin-cancel-${id}`}
    >
      <X size={14} aria-hidden="true" /> Cancel
    </button>
  );
}

function SlowNote({ text }: { text: string }) {
  return (
    <p className="slow-note" role="status">
      <Hourglass size={14} aria-hidden="true" /> {text}
    </p>
  );
}

function SoakNote({ plugin: { id, soak } }: { plugin: Plugin }) {
  if (!soak) return null;
  return (
    <p
      className="soak-note"
      title={`Generation ${soak.generation} is rolled back by itself if it fails before then.`}
      data-testid={`plugin-soak-${id}`}
    >
      <FlaskConical size={14} aria-hidden="true" />
      <span>
        On trial until <When at={soak.until} as="clock" />
      </span>
    </p>
  );
}
