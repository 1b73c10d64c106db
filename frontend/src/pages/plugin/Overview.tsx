import type { ReactNode } from "react";
import type { Plugin } from "@/api/types";
import { bytes, whole } from "@/ui/format";

/** What there is to know of a plugin, in one look. */
export function Overview({ plugin }: { plugin: Plugin }) {
  const { author, license, homepage, repository, digest, generation, usage, ui, environment } = plugin;
  return (
    <dl className="facts">
      <Fact name="Author">{author}</Fact>
      <Fact name="License">{license}</Fact>
      <Fact name="Homepage">{homepage && <Outside url={homepage} />}</Fact>
      <Fact name="Repository">{repository && <Outside url={repository} />}</Fact>
      <Fact name="Generation">{generation}</Fact>
      <Fact name="Digest">{digest && <code title={digest}>{digest.slice(0, 12)}</code>}</Fact>
      <Fact name="Calls">{usage && `${whole(usage.calls)}, ${whole(usage.errors)} failed`}</Fact>
      <Fact name="Memory">{usage?.rss_bytes ? bytes(usage.rss_bytes) : null}</Fact>
      <Fact name="Packages">
        {environment?.size_bytes ? `${bytes(environment.size_bytes)} of its own Python packages` : null}
      </Fact>
      <Fact name="Shown at">{ui?.mounts.join(", ")}</Fact>
      <Fact name="Permissions">
        <Permissions plugin={plugin} />
      </Fact>
    </dl>
  );
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
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

function Permissions({
  plugin: { permissions: { asked, granted } = { asked: [], granted: [] } },
}: {
  plugin: Plugin;
}) {
  if (asked.length === 0) return <>It asks for none.</>;
  return (
    <ul className="permissions">
      {asked.map((name) => (
        <li key={name}>
          <code>{name}</code>{" "}
          <span className="muted">{granted.includes(name) ? "granted" : "not granted"}</span>
        </li>
      ))}
    </ul>
  );
}
