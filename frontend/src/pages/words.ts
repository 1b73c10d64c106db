/** Words for what the server abbreviates. */

const CAUSES: Record<string, string> = {
  load: "loaded",
  reload: "reloaded",
  config: "configured",
  rollback: "rolled back",
  migration: "carried to a new version",
  restore: "restored",
  install: "installed",
  dependency: "followed a dependency",
  watch: "saved by its author",
  import: "imported",
};

export function causeWord(cause: string): string {
  return CAUSES[cause] ?? cause.replaceAll("_", " ");
}

const EVENTS: Record<string, string> = {
  plugin_discovered: "Found",
  plugin_installed: "Installed",
  plugin_loading: "Loading",
  plugin_loaded: "Loaded",
  plugin_reloaded: "Swapped",
  plugin_unloaded: "Unloaded",
  plugin_failed: "Failed",
  plugin_config_changed: "Configured",
  plugin_crashed: "Crashed",
  plugin_recovered: "Recovered",
  plugin_removed: "Removed",
  plugin_restored: "Restored",
};

export function eventWord(event: string): string {
  return EVENTS[event] ?? event.replaceAll("_", " ");
}

/** `/retry/0/limit` as people write it: `retry › 0 › limit`. */
export function pointerWords(pointer: string): string {
  const steps = pointer.split("/").slice(1);
  return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~")).join(" › ") || "everything";
}

export const shortDigest = (digest: string) => digest.slice(0, 12);
