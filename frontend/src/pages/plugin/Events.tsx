import { Activity } from "lucide-react";
import * as management from "@/api/management";
import type { LifecycleEvent, Plugin } from "@/api/types";
import { usePages } from "@/app/queries";
import { keys } from "@/app/wiring";
import { MoreButton } from "@/ui/MoreButton";
import { Section } from "@/ui/Section";
import { Empty, Problem } from "@/ui/states";
import { When } from "@/ui/When";
import { causeWord, eventWord, shortDigest } from "../words";

const TONES: Record<string, string> = {
  plugin_loaded: "good",
  plugin_reloaded: "good",
  plugin_recovered: "good",
  plugin_failed: "bad",
  plugin_crashed: "bad",
};

const OBVIOUS = new Set(["load", "reload", "config"]);

/** What happened to the plugin, the newest first. Lists are asked again at every event, so this one is live. */
export function Events({ plugin }: { plugin: Plugin }) {
  const pages = usePages<LifecycleEvent>(keys.plugin(plugin.id, "events"), management.eventsPath(plugin.id));
  const { items, error, isPending, refetch } = pages;
  if (isPending) return <div className="skeleton tall" role="status" aria-label="Loading" />;
  if (error && !items) return <Problem error={error} onRetry={() => void refetch()} />;
  if (!items?.length) {
    return (
      <Empty icon={<Activity size={26} />} title="Nothing has happened yet">
        <p className="muted">Loads, swaps, crashes and recoveries appear here as they happen.</p>
      </Empty>
    );
  }
  return (
    <Section title="Events" about="As they happen, the newest first.">
      <ol className="event-list" aria-live="polite">
        {items.map((event) => (
          <EventLine key={event.id} event={event} />
        ))}
      </ol>
      <MoreButton pages={pages} label="Show older ones" />
    </Section>
  );
}

function EventLine({ event }: { event: LifecycleEvent }) {
  return (
    <li data-tone={TONES[event.event]}>
      <span className="event-at">{event.at && <When at={event.at} />}</span>
      <div>
        <p>
          <strong title={event.event}>{eventWord(event.event)}</strong>
          <span className="muted"> {factsOf(event)}</span>
        </p>
        {typeof event.detail === "string" && event.detail && <p className="event-detail">{event.detail}</p>}
      </div>
    </li>
  );
}

/** What the event's own name does not say. */
function factsOf(event: LifecycleEvent): string {
  const { generation, digest, node, cause, fields, version, rolled_back_to: back } = event;
  const facts = [
    typeof cause === "string" && !OBVIOUS.has(cause) && causeWord(cause),
    Array.isArray(fields) && fields.join(", "),
    typeof version === "string" && `version ${version}`,
    generation && `generation ${generation}`,
    digest && shortDigest(digest),
    typeof back === "number" && `rolled back to generation ${back}`,
    node && `on ${String(node)}`,
  ];
  return facts.filter(Boolean).join(" · ");
}
