import { useQuery } from "@tanstack/react-query";
import { ArchiveRestore } from "lucide-react";
import { useState } from "react";
import * as management from "@/api/management";
import type { RemovedPlugin } from "@/api/shapes";
import { keys } from "@/app/wiring";
import { Problem, Spinner } from "@/ui/states";
import { When } from "@/ui/When";
import { restore } from "./useRemoval";

/** What was removed and can still come back. Nothing at all when there is nothing. */
export function RemovedPlugins() {
  const { data, error, refetch } = useQuery({
    queryKey: keys.removed,
    queryFn: ({ signal }) => management.removedPlugins(signal),
  });
  if (error && !data) return <Problem error={error} onRetry={() => void refetch()} />;
  if (!data?.length) return null;
  return (
    <details className="removed" data-testid="removed-plugins">
      <summary>Removed plugins ({data.length})</summary>
      <ul className="rows">
        {data.map((plugin) => (
          <RemovedLine key={plugin.id} plugin={plugin} />
        ))}
      </ul>
    </details>
  );
}

function RemovedLine({ plugin: { id, name, version, removed_at, forgotten_at } }: { plugin: RemovedPlugin }) {
  const [busy, setBusy] = useState(false);
  const bringBack = async () => {
    setBusy(true);
    await restore(id, name);
    setBusy(false);
  };
  return (
    <li className="row-block" data-testid={`removed-${id}`}>
      <div>
        <h3>
          {name} <span className="plugin-version">{version && `v${version}`}</span>
        </h3>
        <p className="card-facts">
          <code>{id}</code>
          <span>
            removed <When at={removed_at} />
          </span>
          <span>
            forgotten for good <When at={forgotten_at} />
          </span>
        </p>
      </div>
      <button
        type="button"
        className="button small"
        disabled={busy}
        aria-label={`Restore ${name}`}
        onClick={() => void bringBack()}
      >
        {busy ? <Spinner size={14} /> : <ArchiveRestore size={15} aria-hidden="true" />} Restore
      </button>
    </li>
  );
}
