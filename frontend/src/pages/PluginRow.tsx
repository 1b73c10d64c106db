import { useState } from "react";
import { Link } from "wouter";
import type { Person, Plugin } from "@/api/types";
import { PluginButtons, PluginDialogs } from "./PluginActions";
import { PluginIcon, StateBadge } from "./PluginIcon";
import { PluginNotes } from "./PluginNotes";
import { usePluginActions } from "./usePluginActions";
import { useRemoval } from "./useRemoval";

export function PluginRow({ plugin, person }: { plugin: Plugin; person: Person }) {
  const actions = usePluginActions(plugin);
  const removal = useRemoval(plugin);
  const [configuring, setConfiguring] = useState(false);
  const { id, name, version, description, state, type, tags, author } = plugin;
  return (
    <li className="plugin-row" data-testid={`plugin-row-${id}`} data-type={type ?? "unknown"}>
      <PluginIcon type={type} />
      <div className="plugin-text">
        <h2>
          <Link href={`/plugins/${id}`} className="plugin-link">
            {name}
          </Link>{" "}
          <span className="plugin-version">{version && `v${version}`}</span>
          <StateBadge id={id} state={state} />
        </h2>
        {description && <p>{description}</p>}
        <p className="plugin-facts">
          <code>{id}</code>
          {type && <span>{type === "ui" ? "UI" : type}</span>}
          {author && <span>by {author}</span>}
          {tags
            .filter((tag) => tag !== type)
            .map((tag) => (
              <span key={tag} className="tag">
                {tag}
              </span>
            ))}
        </p>
      </div>
      <div className="plugin-actions">
        {person.is_operator ? (
          <PluginButtons
            plugin={plugin}
            actions={actions}
            removal={removal}
            onConfigure={() => setConfiguring(true)}
          />
        ) : (
          <Link href={`/plugins/${id}`} className="button ghost">
            Details
          </Link>
        )}
      </div>
      <PluginNotes plugin={plugin} operator={person.is_operator} />
      <PluginDialogs
        plugin={plugin}
        actions={actions}
        removal={removal}
        configuring={configuring}
        onConfigured={() => setConfiguring(false)}
      />
    </li>
  );
}
