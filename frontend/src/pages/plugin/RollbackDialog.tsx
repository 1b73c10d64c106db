import { useState } from "react";
import * as management from "@/api/management";
import type { Plugin } from "@/api/types";
import { usePlan } from "@/app/queries";
import { putPlugin, refreshPlugins } from "@/app/wiring";
import { Dialog } from "@/ui/Dialog";
import { Problem, Spinner } from "@/ui/states";
import { toast, toastError } from "@/ui/toasts";
import { PlanList, PlanProblemNote } from "../PlanList";
import { shortDigest } from "../words";

export interface RollbackGoal {
  readonly target: management.RollbackTarget;
  readonly digest: string;
  readonly version: string;
  /** With it, the configuration of that generation comes back too. */
  readonly generation?: number;
  readonly verb: string;
}

interface RollbackDialogProps {
  readonly plugin: Plugin;
  readonly goal: RollbackGoal;
  readonly onClose: () => void;
}

/** What going back would do, to this plugin and to others; then it is done, or why it was not. */
export function RollbackDialog({ plugin, goal, onClose }: RollbackDialogProps) {
  const { id, name } = plugin;
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const plan = usePlan(id, { action: "load", digest: goal.digest });
  const go = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      await rollback(plugin, goal.target, `${name} ${goal.version} is serving.`);
      onClose();
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={`${goal.verb}: ${name} ${goal.version}`}
      subtitle={<code title={goal.digest}>{shortDigest(goal.digest)}</code>}
      onClose={onClose}
    >
      {goal.generation !== undefined && (
        <p>
          The configuration of generation {goal.generation} comes back with it. Today's stays in the history.
        </p>
      )}
      {plan.isPending && <div className="skeleton" role="status" aria-label="Looking at what would happen" />}
      {plan.error && !plan.data && <Problem error={plan.error} onRetry={() => void plan.refetch()} />}
      {plan.data?.problem && <PlanProblemNote problem={plan.data.problem} />}
      {plan.data && !plan.data.problem && <PlanList changes={plan.data.changes} />}
      {failure !== undefined && <Problem error={failure} />}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          Leave it as it is
        </button>
        <button
          type="button"
          className="button primary"
          disabled={busy || plan.data?.possible === false}
          onClick={() => void go()}
          data-testid="rollback-confirm"
        >
          {busy ? <Spinner size={14} /> : goal.verb}
        </button>
      </div>
    </Dialog>
  );
}

async function rollback(plugin: Plugin, target: management.RollbackTarget, text: string): Promise<void> {
  const { id, name } = plugin;
  try {
    const answer = await management.rollback(id, target);
    putPlugin(answer);
    const generation = answer.old?.generation;
    const back = () => rollback(plugin, { generation: generation ?? 0 }, `${name} is as it was before.`);
    const undo = () => back().catch((error: unknown) => toastError(`${name} was not swapped back.`, error));
    toast({ text, tone: "good", ...(generation && { action: { label: "Undo", run: () => void undo() } }) });
  } finally {
    refreshPlugins();
  }
}
