import { CircleCheck, FileArchive, PackagePlus, Upload } from "lucide-react";
import { useRef } from "react";
import { Link } from "wouter";
import type { InstalledPlugin } from "@/api/management";
import { usePluginList } from "@/app/queries";
import { Dialog } from "@/ui/Dialog";
import { bytes } from "@/ui/format";
import { ProgressBar } from "@/ui/ProgressBar";
import { Problem, Spinner } from "@/ui/states";
import { PluginDialogs } from "./PluginActions";
import { ChangeNote } from "./PluginNotes";
import type { Installer, InstallStep } from "./useInstaller";
import { usePluginActions } from "./usePluginActions";

export function InstallButton({ installer }: { installer: Installer }) {
  return (
    <button type="button" className="button primary" onClick={installer.open} data-testid="plugins-install">
      <PackagePlus size={15} aria-hidden="true" /> Install
    </button>
  );
}

/** From a file to a plugin; each step says where things stand. */
export function InstallDialog({ installer }: { installer: Installer }) {
  const { step, close } = installer;
  if (step.name === "closed") return null;
  return (
    <Dialog title="Install a plugin" onClose={close}>
      {step.name === "choose" && <Choose step={step} installer={installer} />}
      {step.name === "sending" && <Sending step={step} onCancel={close} />}
      {step.name === "done" && <Done plugin={step.plugin} onClose={close} />}
    </Dialog>
  );
}

type StepOf<N> = Extract<InstallStep, { name: N }>;

function Choose({ step: { error, file }, installer }: { step: StepOf<"choose">; installer: Installer }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      {error !== undefined && <Problem error={error} />}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the button inside does the same by keyboard */}
      <div
        className="drop-box"
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          event.stopPropagation();
          const dropped = event.dataTransfer.files[0];
          if (dropped) void installer.send(dropped);
        }}
      >
        <Upload size={26} aria-hidden="true" />
        <p>
          Drop a package here, or{" "}
          <button type="button" className="link-button" onClick={() => input.current?.click()} autoFocus>
            choose {file ? "another" : "a file"}
          </button>
        </p>
        <p className="field-help">A .zip or .tar.gz of one plugin's folder.</p>
        <input
          ref={input}
          type="file"
          className="visually-hidden"
          tabIndex={-1}
          aria-label="Package"
          accept=".zip,.tgz,.gz,application/zip,application/gzip"
          onChange={(event) => {
            const chosen = event.target.files?.[0];
            event.target.value = "";
            if (chosen) void installer.send(chosen);
          }}
          data-testid="install-file"
        />
      </div>
    </>
  );
}

function Sending({ step: { file, fraction }, onCancel }: { step: StepOf<"sending">; onCancel: () => void }) {
  const sent = fraction >= 1;
  return (
    <>
      <p className="file-line">
        <FileArchive size={18} aria-hidden="true" />
        <span>{file.name}</span>
        <span className="muted">{bytes(file.size)}</span>
      </p>
      <ProgressBar label={`Sending ${file.name}`} fraction={sent ? null : fraction} />
      <p className="muted" role="status">
        {sent ? "Looking into the package…" : `${Math.round(fraction * 100)} % sent`}
      </p>
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </>
  );
}

function Done({ plugin, onClose }: { plugin: InstalledPlugin; onClose: () => void }) {
  const { data } = usePluginList();
  const actions = usePluginActions(plugin);
  const { id, name, description, installed, state, permissions } = plugin;
  const now = data?.find((one) => one.id === id);
  const loaded = state === "active";
  const go = async () => {
    if (await (loaded ? actions.reload() : actions.load())) onClose();
  };
  return (
    <div data-testid="install-done">
      <p className="file-line good">
        <CircleCheck size={18} aria-hidden="true" />
        <span>
          {name} {installed.version} is installed.
        </span>
      </p>
      {description && <p className="muted">{description}</p>}
      {permissions.asked.length > 0 && (
        <p className="muted">
          It asks for{" "}
          {permissions.asked.map((permission) => (
            <code key={permission}>{permission} </code>
          ))}
        </p>
      )}
      {installed.replaced && (
        <p className="muted">
          {loaded ? "The version before serves on until you swap." : "The version before is kept."}{" "}
          <Link href={`/plugins/${id}/versions`}>See all versions</Link>
        </p>
      )}
      {actions.busy && now && <ChangeNote plugin={now} operator />}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          {actions.busy ? "Close" : "Later"}
        </button>
        <button
          type="button"
          className="button primary"
          disabled={Boolean(actions.busy)}
          onClick={() => void go()}
          autoFocus
          data-testid="install-load"
        >
          {actions.busy && <Spinner size={14} />} {loaded ? "Swap to it now" : "Load now"}
        </button>
      </div>
      <PluginDialogs plugin={plugin} actions={actions} />
    </div>
  );
}
