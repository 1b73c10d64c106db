import { Boxes, EllipsisVertical, RotateCw, SlidersHorizontal } from "lucide-react";
import { navigate } from "wouter/use-browser-location";
import { isUnsettled } from "@/api/settling";
import type { Plugin } from "@/api/types";
import { Dialog } from "@/ui/Dialog";
import { Menu, type MenuItem } from "@/ui/Menu";
import { Spinner } from "@/ui/states";
import { CascadeDialog } from "./CascadeDialog";
import { ConfigDrawer } from "./ConfigDrawer";
import { GrantDialog } from "./GrantDialog";
import type { usePluginActions } from "./usePluginActions";
import type { useRemoval } from "./useRemoval";

type Actions = ReturnType<typeof usePluginActions>;
type Removal = ReturnType<typeof useRemoval>;

interface PluginButtonsProps {
  readonly plugin: Plugin;
  readonly actions: Actions;
  readonly removal: Removal;
  /** Without it there is no button for it: the page around it shows the configuration itself. */
  readonly onConfigure?: () => void;
}

/** What an operator can do with a plugin. */
export function PluginButtons({ plugin, actions, removal, onConfigure }: PluginButtonsProps) {
  const { id, name, state } = plugin;
  const busy = actions.busy ?? (isUnsettled(plugin) ? busyWord(plugin) : undefined);
  return (
    <>
      {busy && (
        <span className="busy" role="status">
          <Spinner size={14} /> {busy}…
        </span>
      )}
      {onConfigure && (
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
      )}
      {state === "active" && (
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
      {state === "active" ? (
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
      <Menu
        label={`More for ${name}`}
        icon={<EllipsisVertical size={17} />}
        items={menuItems(plugin, removal, onConfigure !== undefined)}
      />
    </>
  );
}

function busyWord({ state, change }: Plugin): string {
  if (state !== "active") return state;
  return change?.state === "installing" ? "installing" : "swapping";
}

function menuItems({ id, generation }: Plugin, removal: Removal, inList: boolean): readonly MenuItem[] {
  const go = (label: string, section: string) => ({
    label,
    run: () => navigate(`/plugins/${id}${section}`),
  });
  const pages = [
    go("Details", ""),
    go("Versions and roll back", "/versions"),
    go("Dependencies", "/dependencies"),
  ];
  const label = generation === null ? "Remove" : "Unload and remove…";
  return [...(inList ? pages : []), { label, run: removal.ask, danger: true }];
}

interface PluginDialogsProps {
  readonly plugin: Plugin;
  readonly actions: Actions;
  readonly removal?: Removal;
  readonly configuring?: boolean;
  readonly onConfigured?: () => void;
}

/** What a plugin's actions ask before they go on. */
export function PluginDialogs({
  plugin,
  actions,
  removal,
  configuring = false,
  onConfigured = () => undefined,
}: PluginDialogsProps) {
  const { id, name } = plugin;
  const closeConfig = () => {
    onConfigured();
    actions.configured();
  };
  return (
    <>
      {(configuring || actions.wantsConfig) && (
        <ConfigDrawer plugin={plugin} problem={actions.wantsConfig} onClose={closeConfig} />
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
          id={id}
          name={name}
          dependents={actions.blockers}
          onConfirm={() => void actions.unload(true)}
          onClose={actions.dismissBlockers}
        />
      )}
      {removal?.blockers && (
        <CascadeDialog
          id={id}
          name={name}
          dependents={removal.blockers}
          verb="Unload and remove"
          onConfirm={() => void removal.remove(removal.blockers)}
          onClose={removal.dismiss}
        />
      )}
      {removal?.asking && <RemoveDialog name={name} removal={removal} />}
    </>
  );
}

function RemoveDialog({ name, removal }: { name: string; removal: Removal }) {
  return (
    <Dialog title={`Remove ${name}?`} onClose={removal.dismiss}>
      <p>
        It is loaded. It finishes what it is doing, is unloaded, and then removed with its configuration, data
        and versions. It can be restored for 30 days.
      </p>
      <div className="dialog-actions">
        <button type="button" className="button" onClick={removal.dismiss}>
          Keep it
        </button>
        <button
          type="button"
          className="button danger"
          onClick={() => void removal.remove()}
          data-testid="remove-confirm"
        >
          Unload and remove
        </button>
      </div>
    </Dialog>
  );
}
