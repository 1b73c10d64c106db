import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleX, RefreshCw, Server, ShieldAlert, ShieldCheck } from "lucide-react";
import { useState } from "react";
import * as api from "@/api/nodes";
import type { Health, StudioNode } from "@/api/shapes";
import { MenuButton } from "@/app/Shell";
import { keys, queryClient } from "@/app/wiring";
import { Badge } from "@/ui/Badge";
import { Section } from "@/ui/Section";
import { Empty, Problem } from "@/ui/states";
import { toast, toastError } from "@/ui/toasts";
import { When } from "@/ui/When";

const LOOK_MS = 5_000;

/** Is the studio well, and which machines does it run on? */
export function SystemPage() {
  const health = useQuery({
    queryKey: keys.health,
    queryFn: ({ signal }) => api.health(signal),
    refetchInterval: LOOK_MS,
  });
  const nodes = useQuery({
    queryKey: keys.nodes,
    queryFn: ({ signal }) => api.nodes(signal),
    refetchInterval: LOOK_MS,
  });
  return (
    <main className="page" aria-label="System">
      <header className="page-head">
        <MenuButton />
        <div>
          <h1>System</h1>
          <p className="muted" role="status">
            {health.data ? verdict(health.data) : "Looking around…"}
          </p>
        </div>
        <button
          type="button"
          className="button"
          onClick={() => {
            void health.refetch();
            void nodes.refetch();
          }}
        >
          <RefreshCw size={15} aria-hidden="true" /> Look again
        </button>
      </header>
      <Section title="Parts">
        {health.isPending && <div className="skeleton tall" role="status" aria-label="Loading" />}
        {health.error && !health.data && (
          <Problem error={health.error} onRetry={() => void health.refetch()} />
        )}
        {health.data && <Parts components={health.data.components} />}
      </Section>
      <Section
        title="Nodes"
        about="Machines on which plugins run. One that stays away is forgotten by itself."
      >
        {nodes.isPending && <div className="skeleton tall" role="status" aria-label="Loading" />}
        {nodes.error && !nodes.data && <Problem error={nodes.error} onRetry={() => void nodes.refetch()} />}
        {nodes.data?.length === 0 && (
          <Empty icon={<Server size={26} />} title="No node has reported yet">
            <p className="muted">The plugin host of each machine reports here when it has started.</p>
          </Empty>
        )}
        <ul className="cards">
          {nodes.data?.map((node) => (
            <NodeCard key={node.node} node={node} />
          ))}
        </ul>
      </Section>
    </main>
  );
}

const PARTS: Record<string, string> = {
  database: "Database",
  redis: "Redis",
  plugin_host: "Plugin host",
  workers: "Workers",
};

function verdict({ components }: Health): string {
  const down = Object.entries(components).filter(([, { ok }]) => !ok);
  if (down.length === 0) return "Everything answers.";
  return `${down.map(([name]) => PARTS[name] ?? name).join(", ")} did not answer.`;
}

function Parts({ components }: Pick<Health, "components">) {
  return (
    <ul className="part-grid">
      {Object.entries(components).map(([name, { ok, detail }]) => (
        <li key={name} className="part" data-ok={ok}>
          {ok ? <CircleCheck size={18} aria-label="Well" /> : <CircleX size={18} aria-label="Not well" />}
          <div>
            <strong>{PARTS[name] ?? name}</strong>
            {detail && <p>{detail}</p>}
          </div>
        </li>
      ))}
    </ul>
  );
}

function NodeCard({ node }: { node: StudioNode }) {
  const { node: name, state, pid, started_at, heartbeat_at, plugins, this: here, expires_at } = node;
  const away = state === "away";
  const counts = Object.entries(plugins).filter(([, count]) => count > 0);
  return (
    <li className="card" data-away={away || undefined} data-testid={`node-${name}`}>
      <div className="card-head">
        <h3>
          {name}
          <Badge tone={away ? "warn" : "good"}>{state}</Badge>
          {here && <Badge title="The node that answered this page">this one</Badge>}
        </h3>
        {away && <ForgetButton name={name} />}
      </div>
      <p className="card-facts">
        <span>
          sign of life <When at={heartbeat_at} />
        </span>
        <span>
          started <When at={started_at} />
        </span>
        <span>process {pid}</span>
        {away && expires_at && (
          <span>
            forgotten <When at={expires_at} />
          </span>
        )}
      </p>
      <p className="card-facts">
        {counts.length === 0 && <span>no plugins</span>}
        {counts.map(([word, count]) => (
          <span key={word}>
            <span className="state" data-state={word}>
              {count} {word}
            </span>
          </span>
        ))}
      </p>
      <Protections sandbox={node.sandbox} />
    </li>
  );
}

const PROTECTIONS: Record<string, string> = {
  landlock: "Files and network (Landlock)",
  seccomp: "System calls (seccomp)",
  no_new_privs: "No new privileges",
  no_capabilities: "No capabilities",
};

/** What the kernel of that machine holds plugins to. */
function Protections({ sandbox }: Pick<StudioNode, "sandbox">) {
  const held = Object.entries(sandbox).map(([name, value]) => ({
    name,
    value,
    ok: Boolean(value) && value !== 0,
  }));
  if (held.length === 0) return null;
  return (
    <ul className="protections" aria-label="Protections">
      {held.map(({ name, value, ok }) => (
        <li key={name} data-ok={ok}>
          {ok ? <ShieldCheck size={15} aria-label="On" /> : <ShieldAlert size={15} aria-label="Off" />}
          {PROTECTIONS[name] ?? name.replaceAll("_", " ")}
          {typeof value === "number" && ok && <small>version {value}</small>}
        </li>
      ))}
    </ul>
  );
}

function ForgetButton({ name }: { name: string }) {
  const forget = async () => {
    try {
      await api.forgetNode(name);
      toast({ text: `${name} is forgotten. It is listed again if it comes back.` });
    } catch (error) {
      toastError(`${name} was not forgotten.`, error);
    } finally {
      void queryClient.invalidateQueries({ queryKey: keys.nodes });
    }
  };
  const [asked, setAsked] = useState(false);
  return (
    <button
      type="button"
      className="button small"
      disabled={asked}
      aria-label={`Forget ${name}`}
      onClick={() => {
        setAsked(true);
        void forget().finally(() => setAsked(false));
      }}
    >
      Forget
    </button>
  );
}
