import { ArrowRight } from "lucide-react";
import { Link } from "wouter";
import type { ApiError } from "@/api/http";
import type { Plugin } from "@/api/types";
import { Dialog } from "@/ui/Dialog";
import { ConfigForm, isConfigurable } from "./ConfigForm";

interface DrawerProps {
  readonly plugin: Plugin;
  readonly problem: ApiError | undefined;
  readonly onClose: () => void;
}

/** The configuration at hand, without leaving the list. */
export function ConfigDrawer({ plugin, problem, onClose }: DrawerProps) {
  return (
    <Dialog
      kind="drawer"
      title={plugin.name}
      subtitle={`${plugin.id}${plugin.version && ` · v${plugin.version}`}`}
      onClose={onClose}
    >
      <p className="drawer-link">
        <Link href={`/plugins/${plugin.id}/configuration`}>
          Earlier configurations, versions, dependencies <ArrowRight size={14} aria-hidden="true" />
        </Link>
      </p>
      {isConfigurable(plugin) ? (
        <ConfigForm plugin={plugin} problem={problem} onClose={onClose} />
      ) : (
        <p className="muted">This plugin has nothing to configure.</p>
      )}
    </Dialog>
  );
}
