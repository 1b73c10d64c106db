import { PackageSearch, RefreshCw, Search } from "lucide-react";
import { useState } from "react";
import * as studio from "@/api/studio";
import type { Person, Plugin } from "@/api/types";
import { usePluginList } from "@/app/queries";
import { MenuButton } from "@/app/Shell";
import { refreshPlugins } from "@/app/wiring";
import { DropTarget } from "@/ui/DropTarget";
import { Empty, Problem, Spinner } from "@/ui/states";
import { toast, toastError } from "@/ui/toasts";
import { InstallButton, InstallDialog } from "./InstallDialog";
import { PluginRow } from "./PluginRow";
import { matches, type PluginFilter, SHOWN, TYPES } from "./pluginFilter";
import { RemovedPlugins } from "./RemovedPlugins";
import { useInstaller } from "./useInstaller";

export function PluginsPage({ person }: { person: Person }) {
  const { data, isPending, isError, error, refetch } = usePluginList();
  const installer = useInstaller();
  const [filter, setFilter] = useState<PluginFilter>({ text: "", type: "all", shown: "all" });
  return (
    <main className="page" aria-label="Plugins">
      <header className="page-head">
        <MenuButton />
        <div>
          <h1>Plugins</h1>
          <p className="muted">{summary(data, person)}</p>
        </div>
        {person.is_operator && (
          <div className="page-actions">
            <DiscoverButton />
            <InstallButton installer={installer} />
          </div>
        )}
      </header>
      <FilterBar filter={filter} onChange={setFilter} plugins={data ?? []} />
      {isPending && <RowsSkeleton />}
      {isError && <Problem error={error} onRetry={() => void refetch()} />}
      {data && <Rows plugins={data.filter((plugin) => matches(plugin, filter))} all={data} person={person} />}
      {person.is_operator && (
        <>
          <RemovedPlugins />
          <DropTarget
            text="Drop the package to install it"
            onFiles={([file]) => file && installer.send(file)}
          />
          <InstallDialog installer={installer} />
        </>
      )}
    </main>
  );
}

function summary(plugins: readonly Plugin[] | undefined, person: Person): string {
  if (!plugins) return "Looking for plugins…";
  const active = plugins.filter((plugin) => plugin.state === "active").length;
  const failed = plugins.filter((plugin) => plugin.state === "error" || plugin.state === "blocked").length;
  const facts = [`${plugins.length} found`, `${active} active`, failed > 0 && `${failed} in trouble`];
  const text = facts.filter(Boolean).join(" · ");
  return person.is_operator ? text : `${text}. Only an operator can change them.`;
}

function DiscoverButton() {
  const [busy, setBusy] = useState(false);
  const discover = async () => {
    setBusy(true);
    try {
      await studio.discoverPlugins();
      refreshPlugins();
      toast({ text: "Looked through the plugin folders." });
    } catch (error) {
      toastError("The folders were not looked through.", error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      className="button"
      disabled={busy}
      onClick={discover}
      data-testid="plugins-discover"
    >
      {busy ? <Spinner size={14} /> : <RefreshCw size={15} aria-hidden="true" />} Discover
    </button>
  );
}

interface FilterBarProps {
  readonly filter: PluginFilter;
  readonly onChange: (filter: PluginFilter) => void;
  readonly plugins: readonly Plugin[];
}

function FilterBar({ filter, onChange, plugins }: FilterBarProps) {
  return (
    <div className="filter-bar">
      <label className="search-box">
        <Search size={16} aria-hidden="true" />
        <input
          type="search"
          placeholder="Search by name, tag or description"
          aria-label="Search plugins"
          value={filter.text}
          onChange={(event) => onChange({ ...filter, text: event.target.value })}
          data-testid="plugins-search"
        />
      </label>
      <fieldset className="pills" aria-label="Type">
        {TYPES.map((type) => (
          <button
            key={type}
            type="button"
            className="pill"
            aria-pressed={filter.type === type}
            disabled={type !== "all" && !plugins.some((plugin) => plugin.type === type)}
            onClick={() => onChange({ ...filter, type })}
          >
            {type === "ui" ? "UI" : type}
          </button>
        ))}
      </fieldset>
      <label className="select-box">
        <span className="visually-hidden">State</span>
        <select
          value={filter.shown}
          onChange={(event) => onChange({ ...filter, shown: event.target.value as PluginFilter["shown"] })}
        >
          {Object.entries(SHOWN).map(([key, { label }]) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function Rows({
  plugins,
  all,
  person,
}: {
  plugins: readonly Plugin[];
  all: readonly Plugin[];
  person: Person;
}) {
  if (plugins.length === 0) {
    const none = all.length === 0;
    return (
      <Empty icon={<PackageSearch size={26} />} title={none ? "No plugins found" : "No plugin fits"}>
        <p className="muted">
          {none
            ? "Install a package, or put a plugin's folder into installed_plugins."
            : "Try another word or type."}
        </p>
      </Empty>
    );
  }
  return (
    <ul className="plugin-list">
      {plugins.map((plugin) => (
        <PluginRow key={plugin.id} plugin={plugin} person={person} />
      ))}
    </ul>
  );
}

function RowsSkeleton() {
  return (
    <div className="plugin-list" aria-hidden="true">
      {[0, 1, 2, 3].map((row) => (
        <div key={row} className="skeleton tall" />
      ))}
    </div>
  );
}
