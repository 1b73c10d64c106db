import { ArrowLeft, PackageX } from "lucide-react";
import { Link, useLocation } from "wouter";
import type { Person, Plugin } from "@/api/types";
import { usePluginList } from "@/app/queries";
import { MenuButton } from "@/app/Shell";
import { Empty, Problem } from "@/ui/states";
import { PluginButtons, PluginDialogs } from "../PluginActions";
import { PluginIcon, StateBadge } from "../PluginIcon";
import { PluginNotes } from "../PluginNotes";
import { usePluginActions } from "../usePluginActions";
import { useRemoval } from "../useRemoval";
import { Configuration } from "./Configuration";
import { Dependencies } from "./Dependencies";
import { Events } from "./Events";
import { Nodes } from "./Nodes";
import { Overview } from "./Overview";
import { Versions } from "./Versions";

const SECTIONS = [
  { path: "", label: "Overview", Part: Overview },
  { path: "configuration", label: "Configuration", Part: Configuration, forOperators: true },
  { path: "versions", label: "Versions", Part: Versions, forOperators: true },
  { path: "dependencies", label: "Dependencies", Part: Dependencies },
  { path: "nodes", label: "Nodes", Part: Nodes },
  { path: "events", label: "Events", Part: Events },
] as const;

interface PluginPageProps {
  readonly id: string;
  readonly section: string;
  readonly person: Person;
}

export function PluginPage({ id, section, person }: PluginPageProps) {
  const { data, isPending, isError, error, refetch } = usePluginList();
  const plugin = data?.find((one) => one.id === id);
  return (
    <main className="page plugin-page" aria-label={plugin?.name ?? id}>
      <p className="crumb">
        <MenuButton />
        <Link href="/plugins">
          <ArrowLeft size={15} aria-hidden="true" /> Plugins
        </Link>
      </p>
      {isPending && <div className="skeleton tall" role="status" aria-label="Loading" />}
      {isError && !data && <Problem error={error} onRetry={() => void refetch()} />}
      {data && !plugin && <NoSuchPlugin id={id} />}
      {plugin && <Loaded key={id} plugin={plugin} section={section} person={person} />}
    </main>
  );
}

function Loaded({ plugin, section, person }: { plugin: Plugin; section: string; person: Person }) {
  const [, go] = useLocation();
  const actions = usePluginActions(plugin);
  const removal = useRemoval(plugin, () => go("/plugins"));
  const { id, name, version, description, state, type } = plugin;
  const sections = SECTIONS.filter((one) => person.is_operator || !("forOperators" in one));
  const { Part } = sections.find(({ path }) => path === section) ?? SECTIONS[0];
  return (
    <>
      <header className="plugin-head">
        <PluginIcon type={type} />
        <div className="plugin-text">
          <h1>
            {name} <span className="plugin-version">{version && `v${version}`}</span>
            <StateBadge id={id} state={state} />
          </h1>
          <p>{description || <code>{id}</code>}</p>
        </div>
        {person.is_operator && (
          <div className="plugin-actions">
            <PluginButtons plugin={plugin} actions={actions} removal={removal} />
          </div>
        )}
      </header>
      <PluginNotes plugin={plugin} operator={person.is_operator} />
      <nav className="tabs" aria-label={`Parts of ${name}`}>
        {sections.map(({ path, label }) => (
          <Link
            key={path}
            href={`/plugins/${id}${path && `/${path}`}`}
            aria-current={path === section ? "page" : undefined}
            ref={path === section ? intoView : undefined}
          >
            {label}
          </Link>
        ))}
      </nav>
      <Part plugin={plugin} person={person} />
      <PluginDialogs plugin={plugin} actions={actions} removal={removal} />
    </>
  );
}

/** On a phone the parts are wider than the page: the one that is open must be among those that are seen. */
function intoView(link: HTMLAnchorElement | null): void {
  link?.scrollIntoView({ block: "nearest", inline: "center" });
}

function NoSuchPlugin({ id }: { id: string }) {
  return (
    <Empty icon={<PackageX size={26} />} title="No such plugin">
      <p className="muted">
        There is no plugin <code>{id}</code>. It may have been removed.
      </p>
      <Link href="/plugins" className="button">
        See all plugins
      </Link>
    </Empty>
  );
}
