import {
  Boxes,
  Cpu,
  FileDown,
  LayoutPanelTop,
  Puzzle,
  RotateCw,
  SlidersHorizontal,
  Workflow,
  Wrench,
} from "lucide-react";
import { useState } from "react";
import type { Person, Plugin } from "@/api/types";
import { Spinner } from "@/ui/states";
import { CascadeDialog } from "./CascadeDialog";
import { ConfigDrawer } from "./ConfigDrawer";
import { FaultNote } from "./FaultNote";
import { GrantDialog } from "./GrantDialog";
import { usePluginActions } from "./usePluginActions";

const ICONS = {
  provider: Cpu,
  tool: Wrench,
  middleware: Workflow,
  export: FileDown,
  ui: LayoutPanelTop,
} as const;
const BUSY_STATES = ["installing", "loading", "draining"];

export function PluginRow({ plugin, person }: { plugin: Plugin; person: Person }) {
  const actions = usePluginActions(plugin);
  const [open, setOpen] = useState(false);
  const { id, name, version, description, state, type, tags, author } = plugin;
  const Icon = type ? ICONS[type] : Puzzle;
  return (
    <li className="plugin-row" data-testid={`plugin-row-${id}`} data-type={type ?? "unknown"}>
      <span className="plugin-icon" aria-hidden="true">
        <Icon size={20} />
      </span>
      <div className="plugin-text">
        <h2>
          {name} <span className="plugin-version">{version && `v${version}`}</span>
          <StateBadge id={id} state={state} />
        </h2>
        {description && <p>{description}</p>}
        <p className="plugin-facts">
          <code>{id}</code>
          {type && <span>{type === "ui" ? "UI" : type}</span>}
          {author && <span>by {author}</span>}
          {tags
            .filter((tag) => tag !== type)
            .map((tag) => (
              <span key={tag} className="tag">
                {tag}
              </span>
            ))}
        </p>
        {plugin.last_error && <FaultNote fault={plugin.last_error} />}
      </div>
      <div className="plugin-actions">
        {person.is_operator && (
          <Actions plugin={plugin} actions={actions} onConfigure={() => setOpen(true)} />
        )}
        {!person.is_operator && (
          <button type="button" className="button ghost" onClick={() => setOpen(true)}>
            Details
          </button>
        )}
      </div>
      {(open || actions.wantsConfig) && (
        <ConfigDrawer
          plugin={plugin}
          person={person}
          problem={actions.wantsConfig}
          onClose={() => {
            setOpen(false);
            actions.configured();
          }}
        />
      )}
      {actions.missing && (
        <GrantDialog
          name={name}
          permissions={actions.missing}
          onConfirm={(grant) => void actions.load({ grant })}
          onClose={actions.dismissMissing}
        />
      )}
      {actions.blockers && (
        <CascadeDialog
          name={name}
          dependents={actions.blockers}
          onConfirm={() => void actions.unload(true)}
          onClose={actions.dismissBlockers}
        />
      )}
    </li>
  );
}

function StateBadge({ id, state }: { id: string; state: Plugin["state"] }) {
  return (
    <span className="state" data-state={state} data-testid={`plugin-state-${id}`}>
      {state}
    </span>
  );
}

interface ActionsProps {
  readonly plugin: Plugin;
  readonly actions: ReturnType<typeof usePluginActions>;
  readonly onConfigure: () => void;
}

function Actions({ plugin: { id, name, state }, actions, onConfigure }: ActionsProps) {
  const busy = actions.busy ?? (BUSY_STATES.includes(state) ? state : undefined);
  const loaded = state === "active";
  return (
    <>
      {busy && (
        <span className="busy" role="status">
          <Spinner size={14} /> {busy}…
        </span>
      )}
      <button
        type="button"
        className="icon-button"
        aria-label={`Configure ${name}`}
        title="Configure"
        onClick={onConfigure}
        data-testid={`plugin-configure-${id}`}
      >
        <SlidersHorizontal size={17} />
      </button>
      {loaded && (
        <button
          type="button"
          className="icon-button"
          aria-label={`Reload ${name}`}
          title="Reload: swap in what is in its folder now"
          disabled={Boolean(busy)}
          onClick={() => void actions.reload()}
          data-testid={`plugin-reload-${id}`}
        >
          <RotateCw size={17} />
        </button>
      )}
      {loaded ? (
        <button
          type="button"
          className="button"
          disabled={Boolean(busy)}
          onClick={() => void actions.unload()}
          data-testid={`plugin-unload-${id}`}
        >
          Unload
        </button>
      ) : (
        <button
          type="button"
          className="button primary"
          disabled={Boolean(busy)}
          onClick={() => void actions.load()}
          data-testid={`plugin-load-${id}`}
        >
          <Boxes size={15} aria-hidden="true" /> Load
        </button>
      )}
    </>
  );
}
