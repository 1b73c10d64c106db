import type { Undo } from "@/plugins/types";
import type { LifecycleEvent } from "./types";

const EVENTS = [
  "plugin_discovered",
  "plugin_installed",
  "plugin_loading",
  "plugin_loaded",
  "plugin_reloaded",
  "plugin_unloaded",
  "plugin_failed",
  "plugin_config_changed",
  "plugin_crashed",
  "plugin_recovered",
] as const;

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const HIDDEN_MS = 60_000;

export interface LifecycleListeners {
  readonly onEvent: (event: LifecycleEvent) => void;
  /** Connected (again): events may have been missed, so look at everything once. */
  readonly onOpen: () => void;
}

/**
 * Follows `/api/plugins/events`. The browser resumes a broken stream by itself (with Last-Event-ID); only
 * when it gives up, because the server answered with an error while restarting, is a new one opened.
 */
export function followLifecycle({ onEvent, onOpen }: LifecycleListeners): Undo {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let resting: ReturnType<typeof setTimeout> | undefined;
  let wait = FIRST_WAIT_MS;
  const open = () => {
    source = new EventSource("/api/plugins/events");
    source.onopen = () => {
      wait = FIRST_WAIT_MS;
      onOpen();
    };
    source.onerror = () => {
      if (source?.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    };
    source.addEventListener("gap", onOpen);
    for (const name of EVENTS) {
      source.addEventListener(name, ({ data }: MessageEvent<string>) => {
        onEvent({ event: name, ...(JSON.parse(data) as object) } as LifecycleEvent);
      });
    }
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
  };
  // A browser has six connections per server: tabs nobody looks at must not hold them all.
  const onVisibility = () => {
    clearTimeout(resting);
    if (document.hidden) resting = setTimeout(close, HIDDEN_MS);
    else if (source?.readyState === EventSource.CLOSED) {
      close();
      open();
    }
  };
  document.addEventListener("visibilitychange", onVisibility);
  open();
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    clearTimeout(resting);
    close();
  };
}
