import { Server } from "lucide-react";
import type { Plugin, PluginNode } from "@/api/types";
import { Badge } from "@/ui/Badge";
import { bytes, whole } from "@/ui/format";
import { Section } from "@/ui/Section";
import { Empty } from "@/ui/states";
import { When } from "@/ui/When";

/** Where the plugin runs, and how it fares there. */
export function Nodes({ plugin: { nodes, name } }: { plugin: Plugin }) {
  if (nodes.length === 0) {
    return (
      <Empty icon={<Server size={26} />} title="It has run nowhere yet">
        <p className="muted">Once {name} is loaded, every node of the studio is listed here.</p>
      </Empty>
    );
  }
  return (
    <Section title="Nodes" about="Each machine runs a process of its own for this plugin.">
      <ul className="cards">
        {nodes.map((node) => (
          <NodeCard key={node.node} node={node} />
        ))}
      </ul>
    </Section>
  );
}

function NodeCard({ node }: { node: PluginNode }) {
  const { node: name, state, generation, committed, digest, away, message, error } = node;
  return (
    <li className="card" data-away={away || undefined}>
      <h3>
        {name}
        <span className="state" data-state={state}>
          {state}
        </span>
        {away && (
          <Badge title="Its plugin host gives no sign of life; this is what it said last.">away</Badge>
        )}
      </h3>
      <p className="card-facts">
        {generation !== null && (
          <span>
            generation {generation}
            {committed === generation && " (proven)"}
          </span>
        )}
        {digest && <code title={digest}>{digest.slice(0, 12)}</code>}
        {node.pid && <span>process {node.pid}</span>}
        {node.rss_bytes ? <span>{bytes(node.rss_bytes)}</span> : null}
        <span>
          {whole(node.calls)} calls, {whole(node.errors)} failed
        </span>
        {node.restarts > 0 && <span>{node.restarts} restarts</span>}
        {node.started_at && (
          <span>
            started <When at={node.started_at} />
          </span>
        )}
      </p>
      {message && <p className="muted">{message}</p>}
      {error && (
        <p className="card-error">
          <strong>{error.title}</strong> {error.detail}
        </p>
      )}
    </li>
  );
}
