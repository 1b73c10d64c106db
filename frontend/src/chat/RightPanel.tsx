import { PanelRight, X } from "lucide-react";
import { useEffect } from "react";
import { Value } from "@/plugins/emitter";
import { PluginMount, useMounted, useReadable } from "@/plugins/react";

const KEY = "studio-panel";

/** Whether the panel beside the chat is open; kept for the next visit. */
const panel = new Value(localStorage.getItem(KEY) === "open");
panel.subscribe((open) => localStorage.setItem(KEY, open ? "open" : "closed"));

/** What UI plugins show beside the chat; over it, on a phone. */
export function RightPanel() {
  const open = useReadable(panel);
  const shown = useMounted("right-panel").length > 0 && open;
  useEffect(() => {
    if (!shown) return;
    const listen = ({ key }: KeyboardEvent) => {
      if (key === "Escape" && window.matchMedia("(max-width: 820px)").matches) panel.set(false);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [shown]);
  if (!shown) return null;
  return (
    <aside className="right-panel" aria-label="Plugins">
      <button
        type="button"
        className="icon-button panel-close"
        aria-label="Close the panel"
        onClick={() => panel.set(false)}
      >
        <X size={17} />
      </button>
      <PluginMount mountPoint="right-panel" className="panel-plugins" />
    </aside>
  );
}

export function PanelButton() {
  const open = useReadable(panel);
  const mounted = useMounted("right-panel");
  if (mounted.length === 0) return null;
  const names = mounted.map(({ plugin }) => plugin.name).join(", ");
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={`Panel: ${names}`}
      title={names}
      aria-pressed={open}
      onClick={() => panel.set(!open)}
      data-testid="panel-toggle"
    >
      <PanelRight size={18} />
    </button>
  );
}
