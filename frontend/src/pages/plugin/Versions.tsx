import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import * as management from "@/api/management";
import { isUnsettled } from "@/api/settling";
import type { KnownVersion, Release } from "@/api/shapes";
import type { Plugin } from "@/api/types";
import { keys } from "@/app/wiring";
import { Badge } from "@/ui/Badge";
import { bytes } from "@/ui/format";
import { Section } from "@/ui/Section";
import { Problem } from "@/ui/states";
import { When } from "@/ui/When";
import { causeWord, shortDigest } from "../words";
import { RollbackDialog, type RollbackGoal } from "./RollbackDialog";

/** Every version there is of the plugin and every generation there was, and the way back to each. */
export function Versions({ plugin }: { plugin: Plugin }) {
  const [goal, setGoal] = useState<RollbackGoal>();
  const { data, error, isPending, refetch } = useQuery({
    queryKey: keys.plugin(plugin.id, "versions"),
    queryFn: ({ signal }) => management.history(plugin.id, signal),
  });
  const locked = isUnsettled(plugin);
  return (
    <>
      {isPending && <div className="skeleton tall" role="status" aria-label="Loading" />}
      {error && !data && <Problem error={error} onRetry={() => void refetch()} />}
      {data && (
        <>
          <Section title="Versions" about="What was found in its folder or installed, by content.">
            <ul className="rows">
              {data.versions.map((version) => (
                <VersionLine
                  key={version.digest}
                  version={version}
                  plugin={plugin}
                  locked={locked}
                  onGo={setGoal}
                />
              ))}
            </ul>
          </Section>
          <Section title="Releases" about="Each load, swap and configuration, the newest first.">
            {data.releases.length === 0 && <p className="muted">It has never been loaded.</p>}
            <ul className="rows">
              {data.releases.map((release) => (
                <ReleaseLine key={release.generation} release={release} locked={locked} onGo={setGoal} />
              ))}
            </ul>
          </Section>
        </>
      )}
      {goal && <RollbackDialog plugin={plugin} goal={goal} onClose={() => setGoal(undefined)} />}
    </>
  );
}

interface LineProps {
  /** Something goes on already. */
  readonly locked: boolean;
  readonly onGo: (goal: RollbackGoal) => void;
}

function VersionLine({
  version,
  plugin,
  locked,
  onGo,
}: LineProps & { version: KnownVersion; plugin: Plugin }) {
  const { digest, source, size_bytes, found_at, serving, newest, in_store } = version;
  const loaded = plugin.state === "active";
  const verb = loaded ? (newest ? "Swap to it" : "Roll back") : "Load this version";
  return (
    <li className="row-block" data-testid={`version-${shortDigest(digest)}`}>
      <div>
        <h3>
          {version.version}
          {serving && <Badge tone="good">serving</Badge>}
          {newest && <Badge tone="accent">newest</Badge>}
          {!in_store && (
            <Badge title="Its files are no longer kept; it cannot be loaded again.">not kept</Badge>
          )}
        </h3>
        <p className="card-facts">
          <code title={digest}>{shortDigest(digest)}</code>
          <span>{source === "package" ? "installed package" : "plugins folder"}</span>
          {size_bytes !== null && <span>{bytes(size_bytes)}</span>}
          <span>
            found <When at={found_at} />
          </span>
        </p>
      </div>
      {!serving && in_store && (
        <button
          type="button"
          className="button small"
          disabled={locked}
          aria-label={`${verb}: ${version.version}, ${shortDigest(digest)}`}
          onClick={() => onGo({ target: { digest }, digest, version: version.version, verb })}
        >
          {verb}
        </button>
      )}
    </li>
  );
}

function ReleaseLine({ release, locked, onGo }: LineProps & { release: Release }) {
  const { generation, digest, version, cause, by, at, committed_at, failure, serving } = release;
  const verb = "Roll back";
  return (
    <li className="row-block" data-testid={`release-${generation}`}>
      <div>
        <h3>
          <span className="generation">#{generation}</span> {version}
          {serving && <Badge tone="good">serving</Badge>}
          {failure && <Badge tone="bad">taken back</Badge>}
        </h3>
        <p className="card-facts">
          <code title={digest}>{shortDigest(digest)}</code>
          <span>
            {causeWord(cause)} {by && `by ${by}`} <When at={at} />
          </span>
          {committed_at && (
            <span>
              proven <When at={committed_at} />
            </span>
          )}
        </p>
        {failure && (
          <p className="card-error">
            {failure.detail} <code>{failure.code}</code>
          </p>
        )}
      </div>
      {!serving && !failure && (
        <button
          type="button"
          className="button small"
          disabled={locked}
          aria-label={`${verb} to generation ${generation}`}
          onClick={() => onGo({ target: { generation }, digest, version, generation, verb })}
        >
          {verb}
        </button>
      )}
    </li>
  );
}
