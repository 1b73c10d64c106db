import type { ReactNode } from "react";
import type { Plugin } from "@/api/types";
import { bytes, whole } from "@/ui/format";

/** What else there is to know of a plugin. */
export function PluginDetails({ plugin, open }: { plugin: Plugin; open: boolean }) {
  const { author, license, homepage, repository, digest, generation, usage, ui } = plugin;
  return (
    <details className="plugin-details" open={open}>
      <summary>Details</summary>
      <dl>
        <Fact name="Author">{author}</Fact>
        <Fact name="License">{license}</Fact>
        <Fact name="Homepage">{homepage && <Outside url={homepage} />}</Fact>
        <Fact name="Repository">{repository && <Outside url={repository} />}</Fact>
        <Fact name="Generation">{generation}</Fact>
        <Fact name="Digest">{digest && <code title={digest}>{digest.slice(0, 12)}</code>}</Fact>
        <Fact name="Calls">{usage && `${whole(usage.calls)}, ${whole(usage.errors)} failed`}</Fact>
        <Fact name="Memory">{usage?.rss_bytes ? bytes(usage.rss_bytes) : null}</Fact>
        <Fact name="Shown at">{ui?.mounts.join(", ")}</Fact>
        <Fact name="Depends on">
          {plugin.dependencies?.map(({ id, range }) => `${id} ${range}`).join(", ")}
        </Fact>
        <Fact name="Needed by">{plugin.dependents?.join(", ")}</Fact>
        <Fact name="Permissions">{permissions(plugin)}</Fact>
        <Fact name="Runs on">{nodes(plugin)}</Fact>
      </dl>
    </details>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  if (children === null || children === undefined || children === "" || children === false) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Only a web address becomes a link: the text is the plugin author's. */
function Outside({ url }: { url: string }) {
  if (!/^https?:\/\//.test(url)) return <>{url}</>;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {url.replace(/^https?:\/\//, "")}
    </a>
  );
}

function permissions({ permissions: { asked, granted } = { asked: [], granted: [] } }: Plugin): ReactNode {
  if (asked.length === 0) return null;
  return (
    <ul className="permissions">
      {asked.map((name) => (
        <li key={name}>
          <code>{name}</code> {granted.includes(name) ? "granted" : "not granted"}
        </li>
      ))}
    </ul>
  );
}

function nodes({ nodes: all = [] }: Plugin): ReactNode {
  if (all.length === 0) return null;
  return (
    <ul className="permissions">
      {all.map(({ node, state, pid, restarts, rss_bytes }) => (
        <li key={node}>
          {node}: {state}
          {pid ? `, process ${pid}` : ""}
          {rss_bytes ? `, ${bytes(rss_bytes)}` : ""}
          {restarts > 0 ? `, ${restarts} restarts` : ""}
        </li>
      ))}
    </ul>
  );
}
