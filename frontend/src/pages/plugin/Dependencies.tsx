import { CircleCheck, CircleX, Waypoints } from "lucide-react";
import { Link } from "wouter";
import type { Demand, Dependency, Plan, Reason } from "@/api/shapes";
import type { Person, Plugin } from "@/api/types";
import { usePlan, usePluginNames } from "@/app/queries";
import { Badge } from "@/ui/Badge";
import { Section } from "@/ui/Section";
import { Empty, Problem } from "@/ui/states";
import { PlanList, PlanProblemNote } from "../PlanList";

/** What the plugin needs, who needs it, and what a change to it would do to others. */
export function Dependencies({ plugin, person }: { plugin: Plugin; person: Person }) {
  const { dependencies, required_by: demands = [], name } = plugin;
  const lonely = dependencies.length === 0 && demands.length === 0;
  return (
    <>
      {lonely && (
        <Empty icon={<Waypoints size={26} />} title="It stands alone">
          <p className="muted">{name} needs no other plugin, and no loaded plugin needs it.</p>
        </Empty>
      )}
      {dependencies.length > 0 && <Needs dependencies={dependencies} />}
      {demands.length > 0 && <NeededBy demands={demands} />}
      {person.is_operator && !lonely && <PlanSection plugin={plugin} />}
    </>
  );
}

function Needs({ dependencies }: { dependencies: readonly Dependency[] }) {
  const nameOf = usePluginNames();
  return (
    <Section title="It needs" about="These are loaded before it.">
      <ul className="rows">
        {dependencies.map(({ id, range, optional, satisfied, version }) => (
          <li key={id} className="row-line">
            {satisfied ? (
              <CircleCheck size={17} className="good" aria-label="There" />
            ) : (
              <CircleX size={17} className={optional ? "muted" : "bad"} aria-label="Not there" />
            )}
            <Link href={`/plugins/${id}/dependencies`}>{nameOf(id)}</Link>
            <code>{range || "any version"}</code>
            {optional && <Badge title="It is used if it is there">optional</Badge>}
            <span className="row-end">
              {version ? (
                `version ${version}`
              ) : (
                <span className="muted">{satisfied ? "" : "no version fits"}</span>
              )}
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function NeededBy({ demands }: { demands: readonly Demand[] }) {
  const nameOf = usePluginNames();
  return (
    <Section title="It is needed by" about="Loaded plugins that would stop working without it.">
      <ul className="rows">
        {demands.map(({ id, range, version }) => (
          <li key={id} className="row-line">
            <Link href={`/plugins/${id}/dependencies`}>{nameOf(id)}</Link>
            <span className="muted">version {version} asks for</span>
            <code>{range || "any version"}</code>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function PlanSection({ plugin: { id, state } }: { plugin: Plugin }) {
  const action = state === "active" ? "reload" : "load";
  const { data, error, isPending, refetch } = usePlan(id, { action });
  return (
    <Section title={action === "load" ? "If you load it" : "If you reload it"}>
      {isPending && <div className="skeleton" role="status" aria-label="Loading" />}
      {error && !data && <Problem error={error} onRetry={() => void refetch()} />}
      {data && <PlanBody plan={data} />}
    </Section>
  );
}

function PlanBody({ plan: { problem, changes, explanation } }: { plan: Plan }) {
  return (
    <>
      {problem ? <PlanProblemNote problem={problem} /> : <PlanList changes={changes} />}
      {explanation.length > 0 && (
        <details className="plan-fold" open={problem !== null}>
          <summary>Who asked for which version</summary>
          <Explanation reasons={explanation} />
        </details>
      )}
    </>
  );
}

function Explanation({ reasons }: { reasons: readonly Reason[] }) {
  const nameOf = usePluginNames();
  return (
    <div className="table-scroll">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Plugin</th>
            <th scope="col">Asked for by</th>
            <th scope="col">Versions there</th>
            <th scope="col">Chosen</th>
          </tr>
        </thead>
        <tbody>
          {reasons.map(({ id, range, by, by_version, chosen, candidates, optional, rejected = [] }) => (
            <tr key={`${id} ${by}`}>
              <td>{nameOf(id)}</td>
              <td>
                {by ? `${nameOf(by)} ${by_version ?? ""}` : "you"} {range && <code>{range}</code>}{" "}
                {optional && <span className="muted">optional</span>}
              </td>
              <td>
                {candidates.join(", ") || <span className="muted">none</span>}
                {rejected.map(({ version, reason }) => (
                  <p key={version} className="muted">
                    not {version}: {reason}
                  </p>
                ))}
              </td>
              <td>
                {chosen ? (
                  <strong>{chosen}</strong>
                ) : (
                  <span className={optional ? "muted" : "bad"}>none fits</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
