import { Menu } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { useLocation } from "wouter";
import type { Person } from "@/api/types";
import { useReadable } from "@/plugins/react";
import { CommandPalette } from "./CommandPalette";
import { DeletedDialog } from "./DeletedDialog";
import { ImportDialog } from "./ImportDialog";
import { Overlay, overlay } from "./overlay";
import { SettingsDialog } from "./SettingsDialog";
import { Sidebar } from "./Sidebar";

/** What surrounds every page: the sidebar (a drawer on a phone), the command palette, the settings. */
export function Shell({ person, children }: { person: Person; children: ReactNode }) {
  const open = useReadable(overlay);
  const [path] = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: going anywhere closes the drawer
  useEffect(() => Overlay.close("sidebar"), [path]);
  useShortcuts();
  return (
    <div className="shell" data-sidebar={open === "sidebar" || undefined}>
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <Sidebar person={person} />
      <button
        type="button"
        className="scrim"
        aria-label="Close menu"
        tabIndex={-1}
        onClick={() => Overlay.close("sidebar")}
      />
      <div className="content" id="main">
        {children}
      </div>
      {open === "palette" && <CommandPalette person={person} />}
      {open === "settings" && <SettingsDialog person={person} />}
      {open === "import" && <ImportDialog />}
      {open === "deleted" && <DeletedDialog />}
    </div>
  );
}

function useShortcuts(): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        Overlay.toggle("palette");
      } else if (event.key === "Escape") Overlay.close("sidebar");
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
}

export function MenuButton() {
  return (
    <button
      type="button"
      className="icon-button menu-button"
      aria-label="Open menu"
      onClick={() => Overlay.open("sidebar")}
    >
      <Menu size={20} />
    </button>
  );
}
