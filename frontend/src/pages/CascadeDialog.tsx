import { usePlan, usePluginNames } from "@/app/queries";
import { Dialog } from "@/ui/Dialog";
import { PlanList } from "./PlanList";

interface CascadeDialogProps {
  readonly id: string;
  readonly name: string;
  readonly dependents: readonly string[];
  /** What else is about to happen to the plugin itself. */
  readonly verb?: "Unload" | "Unload and remove";
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** Others need the plugin: unload them as well, in the right order, or leave it. */
export function CascadeDialog({
  id,
  name,
  dependents,
  verb = "Unload",
  onConfirm,
  onClose,
}: CascadeDialogProps) {
  const nameOf = usePluginNames();
  const plan = usePlan(id, { action: "unload", cascade: true });
  return (
    <Dialog title={`Other plugins need ${name}`} onClose={onClose}>
      <p>
        {dependents.length > 0
          ? "These loaded plugins depend on it and would stop working:"
          : "Loaded plugins depend on it and would stop working."}
      </p>
      <ul className="cascade-list" aria-label="Plugins that need it">
        {dependents.map((dependent) => (
          <li key={dependent} title={dependent}>
            {nameOf(dependent)}
          </li>
        ))}
      </ul>
      {plan.data && plan.data.changes.length > 1 && (
        <details className="plan-fold">
          <summary>What happens, in which order</summary>
          <PlanList changes={plan.data.changes} />
        </details>
      )}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          Keep them all
        </button>
        <button type="button" className="button danger" onClick={onConfirm} data-testid="unload-cascade">
          {verb === "Unload" ? "Unload all of them" : "Unload all, remove this one"}
        </button>
      </div>
    </Dialog>
  );
}
