import { useState } from "react";
import * as management from "@/api/management";
import { isUnsettled } from "@/api/settling";
import type { Revision } from "@/api/shapes";
import type { Plugin } from "@/api/types";
import { usePages } from "@/app/queries";
import { keys, putPlugin, refreshPlugins } from "@/app/wiring";
import { Badge } from "@/ui/Badge";
import { MoreButton } from "@/ui/MoreButton";
import { Section } from "@/ui/Section";
import { Problem } from "@/ui/states";
import { toast } from "@/ui/toasts";
import { When } from "@/ui/When";
import { causeWord, pointerWords } from "../words";
import { CompareRevisions } from "./CompareRevisions";

/** Every configuration that was stored: who changed what, what is different, and the way back. */
export function Revisions({ plugin }: { plugin: Plugin }) {
  const [pair, setPair] = useState<readonly [number, number]>();
  const { failure, busy, restore } = useRestore(plugin);
  const pages = usePages<Revision>(keys.plugin(plugin.id, "revisions"), management.revisionsPath(plugin.id));
  const { items, error, isPending, refetch } = pages;
  const current = items?.find((revision) => revision.current);
  return (
    <Section title="History" about="Each stored configuration is kept. Secrets are never shown.">
      {isPending && <div className="skeleton tall" role="status" aria-label="Loading" />}
      {error && !items && <Problem error={error} onRetry={() => void refetch()} />}
      {failure !== undefined && <Problem error={failure} />}
      {items?.length === 0 && (
        <p className="muted">Nothing was ever stored: the plugin's own defaults hold.</p>
      )}
      <ol className="rows">
        {items?.map((revision) => (
          <RevisionLine
            key={revision.number}
            revision={revision}
            locked={busy || isUnsettled(plugin)}
            onRestore={() => void restore(revision.number, current?.number)}
            onCompare={items.length > 1 ? () => setPair(pairFor(revision, items)) : undefined}
          />
        ))}
      </ol>
      <MoreButton pages={pages} label="Show older ones" />
      {pair && items && (
        <CompareRevisions
          plugin={plugin}
          revisions={items}
          pair={pair}
          onPair={setPair}
          onClose={() => setPair(undefined)}
        />
      )}
    </Section>
  );
}

/** An old one beside the current one; the current one beside the one before it. */
function pairFor(one: Revision, all: readonly Revision[]): readonly [number, number] {
  const current = all.find((revision) => revision.current);
  if (current && !one.current) return [one.number, current.number];
  const before = all.find(({ number, undone }) => number < one.number && !undone);
  return [before?.number ?? one.number, one.number];
}

function useRestore({ id, name, state }: Plugin) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const restore = async (number: number, before: number | undefined) => {
    setBusy(true);
    setFailure(undefined);
    try {
      putPlugin(await management.restoreRevision(id, number));
      const swapped = state === "active" ? ` ${name} was swapped to it.` : "";
      const undo = before !== undefined && { label: "Undo", run: () => void restore(before, undefined) };
      toast({
        text: `Configuration ${number} is back.${swapped}`,
        tone: "good",
        ...(undo && { action: undo }),
      });
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
      refreshPlugins();
    }
  };
  return { busy, failure, restore };
}

interface RevisionLineProps {
  readonly revision: Revision;
  readonly locked: boolean;
  readonly onRestore: () => void;
  readonly onCompare: (() => void) | undefined;
}

function RevisionLine({ revision, locked, onRestore, onCompare }: RevisionLineProps) {
  const { number, at, by, cause, current, undone, changed, generation, config_version } = revision;
  return (
    <li className="row-block" data-testid={`revision-${number}`}>
      <div>
        <h3>
          <span className="generation">#{number}</span> {causeWord(cause)}
          {current && <Badge tone="good">current</Badge>}
          {undone && <Badge title="It did not work, and the one before came back.">undone</Badge>}
        </h3>
        <p className="card-facts">
          <span>
            {by && `${by}, `}
            <When at={at} />
          </span>
          {generation !== null && <span>generation {generation}</span>}
          {config_version > 1 && (
            <span title="The config.version it is written for">version {config_version}</span>
          )}
        </p>
        {changed.length > 0 && (
          <p className="pointers">
            {changed.map((pointer) => (
              <code key={pointer}>{pointerWords(pointer)}</code>
            ))}
          </p>
        )}
      </div>
      <div className="row-buttons">
        {onCompare && (
          <button
            type="button"
            className="button small ghost"
            aria-label={`Compare configuration ${number}`}
            onClick={onCompare}
          >
            Compare
          </button>
        )}
        {!current && (
          <button
            type="button"
            className="button small"
            disabled={locked}
            aria-label={`Restore configuration ${number}`}
            onClick={onRestore}
          >
            Restore
          </button>
        )}
      </div>
    </li>
  );
}
