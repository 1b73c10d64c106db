import { ArrowLeftRight, CircleMinus, CirclePlus, Equal } from "lucide-react";
import { Fragment } from "react";
import type { Demand, PlannedChange, PlanProblem } from "@/api/shapes";
import { usePluginNames } from "@/app/queries";

const ACTIONS = {
  load: { Icon: CirclePlus, tone: "good" },
  swap: { Icon: ArrowLeftRight, tone: "accent" },
  unload: { Icon: CircleMinus, tone: "bad" },
  keep: { Icon: Equal, tone: "plain" },
} as const;

/** What a change does, in the order in which it happens, each with its reason. */
export function PlanList({ changes }: { changes: readonly PlannedChange[] }) {
  const nameOf = usePluginNames();
  if (changes.length === 0) return <p className="muted">Nothing would change.</p>;
  return (
    <ol className="plan" aria-label="What happens, in this order">
      {changes.map((change) => {
        const { Icon, tone } = ACTIONS[change.action];
        return (
          <li key={change.id} data-tone={tone}>
            <Icon size={16} aria-hidden="true" />
            <div>
              <p>
                {deed(change)[0]} <strong>{nameOf(change.id)}</strong> {deed(change)[1]}
              </p>
              <Because change={change} changes={changes} nameOf={nameOf} />
            </div>
          </li>
        );
      })}
    </ol>
  );
}

/** What stands before the plugin's name, and what after it. */
function deed({ action, from, to }: PlannedChange): readonly [string, string] {
  if (action === "load") return ["Load", to?.version ?? ""];
  if (action === "unload") return ["Unload", from?.version ?? ""];
  if (action === "keep") return ["Keep", to?.version ?? from?.version ?? ""];
  if (from?.version !== to?.version) return ["Swap", `from ${from?.version} to ${to?.version}`];
  if (from?.digest !== to?.digest) return ["Swap", `${to?.version} to its other files`];
  return ["Start", `${to?.version ?? ""} anew`];
}

interface BecauseProps {
  readonly change: PlannedChange;
  readonly changes: readonly PlannedChange[];
  readonly nameOf: (id: string) => string;
}

/** Who asks for it, or what it goes along with. Needed plugins come first in a change, and last in an unload. */
function Because({ change: { id, action, because }, changes, nameOf }: BecauseProps) {
  const place = (one: string) => changes.findIndex((other) => other.id === one);
  const needs = (one: string) => action === "unload" || (place(one) >= 0 && place(one) < place(id));
  const words = ({ id: one, version }: Demand) => {
    if (!needs(one)) return `${nameOf(one)} ${version ?? ""} asks for`;
    return action === "keep" ? `${nameOf(one)} ${version ?? ""} fits its` : `it needs ${nameOf(one)}`;
  };
  if (because.length === 0) return null;
  return (
    <p className="plan-because">
      because{" "}
      {because.map((one, at) => (
        <Fragment key={one.id}>
          {at > 0 && " and "}
          {words(one)} {one.range ? <code>{one.range}</code> : !needs(one.id) && "any version"}
        </Fragment>
      ))}
    </p>
  );
}

/** Why a change cannot be, with the way through the plugins that leads there. */
export function PlanProblemNote({ problem }: { problem: PlanProblem }) {
  const { title, detail, hint, path = [] } = problem;
  return (
    <div className="form-error" role="alert">
      <strong>{title}</strong>
      {detail && detail !== title && <p>{detail}</p>}
      {hint && <p>{hint}</p>}
      {path.length > 1 && (
        <p className="plan-path">
          {path.map((id, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a circle names the same plugin twice
            <Fragment key={at}>
              {at > 0 && <span aria-hidden="true"> → </span>}
              <code>{id}</code>
            </Fragment>
          ))}
        </p>
      )}
    </div>
  );
}
