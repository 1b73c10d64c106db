import { useQuery } from "@tanstack/react-query";
import * as management from "@/api/management";
import type { Revision, RevisionChange } from "@/api/shapes";
import type { Plugin } from "@/api/types";
import { keys } from "@/app/wiring";
import { MASK } from "@/forms/schema";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/states";
import { exactTime } from "@/ui/time";
import { pointerWords } from "../words";

type Pair = readonly [number, number];

interface CompareProps {
  readonly plugin: Plugin;
  readonly revisions: readonly Revision[];
  readonly pair: Pair;
  readonly onPair: (pair: Pair) => void;
  readonly onClose: () => void;
}

/** Two stored configurations, side by side. */
export function CompareRevisions({ plugin, revisions, pair: [from, to], onPair, onClose }: CompareProps) {
  const { data, error, isPending, refetch } = useQuery({
    queryKey: keys.plugin(plugin.id, "compare", from, to),
    queryFn: ({ signal }) => management.compareRevisions(plugin.id, from, to, signal),
  });
  return (
    <Dialog title="Compare configurations" subtitle={plugin.name} kind="wide" onClose={onClose}>
      <div className="compare-choice">
        <RevisionChoice
          label="From"
          value={from}
          revisions={revisions}
          onChange={(next) => onPair([next, to])}
        />
        <RevisionChoice
          label="To"
          value={to}
          revisions={revisions}
          onChange={(next) => onPair([from, next])}
        />
      </div>
      {isPending && <div className="skeleton tall" role="status" aria-label="Loading" />}
      {error && !data && <Problem error={error} onRetry={() => void refetch()} />}
      {data?.changes.length === 0 && <p className="muted">They are the same.</p>}
      {data && data.changes.length > 0 && <ChangeTable changes={data.changes} from={from} to={to} />}
    </Dialog>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: number;
  readonly revisions: readonly Revision[];
  readonly onChange: (number: number) => void;
}

function RevisionChoice({ label, value, revisions, onChange }: ChoiceProps) {
  return (
    <label className="field">
      <span className="field-label">{label}</span>
      <select value={value} onChange={(event) => onChange(Number(event.target.value))}>
        {revisions.map(({ number, current, at }) => (
          <option key={number} value={number}>
            #{number} {current ? "(current)" : ""} {exactTime(at)}
          </option>
        ))}
      </select>
    </label>
  );
}

const MARKS = { added: "+", removed: "−", changed: "~" } as const;

function ChangeTable({
  changes,
  from,
  to,
}: {
  changes: readonly RevisionChange[];
  from: number;
  to: number;
}) {
  return (
    <div className="table-scroll">
      <table className="table diff">
        <thead>
          <tr>
            <th scope="col">Setting</th>
            <th scope="col">#{from}</th>
            <th scope="col">#{to}</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => (
            <tr key={change.pointer} data-kind={change.kind}>
              <th scope="row">
                <span className="diff-mark" title={change.kind}>
                  {MARKS[change.kind]}
                </span>
                {pointerWords(change.pointer)}
              </th>
              <td className="diff-from">
                {change.kind !== "added" && <Shown value={change.from} secret="a secret" />}
              </td>
              <td className="diff-to">
                {change.kind !== "removed" && (
                  <Shown
                    value={change.to}
                    secret={change.kind === "changed" ? "another secret" : "a secret"}
                  />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Strings as they are, everything else as JSON; of a secret only that there is one. */
function Shown({ value, secret }: { value: unknown; secret: string }) {
  if (value === MASK) return <span className="muted">{secret}</span>;
  if (value === "") return <span className="muted">empty</span>;
  return <code>{typeof value === "string" ? value : JSON.stringify(value, null, 1)}</code>;
}
