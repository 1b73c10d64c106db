import { Cpu, FileDown, LayoutPanelTop, Puzzle, Workflow, Wrench } from "lucide-react";
import type { Plugin } from "@/api/types";

const ICONS = {
  provider: Cpu,
  tool: Wrench,
  middleware: Workflow,
  export: FileDown,
  ui: LayoutPanelTop,
} as const;

export function PluginIcon({ type }: Pick<Plugin, "type">) {
  const Icon = type ? ICONS[type] : Puzzle;
  return (
    <span className="plugin-icon" aria-hidden="true">
      <Icon size={20} />
    </span>
  );
}

export function StateBadge({ id, state }: Pick<Plugin, "id" | "state">) {
  return (
    <span className="state" data-state={state} data-testid={`plugin-state-${id}`}>
      {state}
    </span>
  );
}
