import {
  Command,
  LogOut,
  Menu,
  MessageSquarePlus,
  Puzzle,
  Search,
  Server,
  Settings,
  Webhook,
  X,
} from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import * as studio from "@/api/studio";
import type { Person } from "@/api/types";
import { PluginMount, useReadable } from "@/plugins/react";
import { Logo } from "@/ui/Logo";
import { toastError } from "@/ui/toasts";
import { CommandPalette } from "./CommandPalette";
import { ConversationList } from "./ConversationList";
import { Overlay, overlay } from "./overlay";
import { SettingsDialog } from "./SettingsDialog";
import { setPerson } from "./wiring";

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

function Sidebar({ person }: { person: Person }) {
  const [filter, setFilter] = useState("");
  return (
    <nav className="sidebar" aria-label="Conversations and pages">
      <div className="sidebar-head">
        <Link href="/" className="brand">
          <Logo size={26} /> <span>Chat Studio</span>
        </Link>
        <button
          type="button"
          className="icon-button"
          aria-label="Commands (Ctrl K)"
          title="Commands (Ctrl K)"
          onClick={() => Overlay.open("palette")}
        >
          <Command size={17} />
        </button>
        <button
          type="button"
          className="icon-button menu-button"
          aria-label="Close menu"
          onClick={() => Overlay.close("sidebar")}
        >
          <X size={18} />
        </button>
      </div>
      <Link href="/" className="side-link new-chat" data-testid="new-chat">
        <MessageSquarePlus size={17} aria-hidden="true" /> New chat
      </Link>
      <PageLink href="/plugins" icon={<Puzzle size={17} aria-hidden="true" />} label="Plugins" />
      {person.is_operator && (
        <>
          <PageLink href="/webhooks" icon={<Webhook size={17} aria-hidden="true" />} label="Webhooks" />
          <PageLink href="/system" icon={<Server size={17} aria-hidden="true" />} label="System" />
        </>
      )}
      <label className="side-search">
        <Search size={15} aria-hidden="true" />
        <input
          type="search"
          placeholder="Search chats"
          aria-label="Search conversations"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
          data-testid="conversation-search"
        />
      </label>
      <ConversationList filter={filter} />
      <PluginMount mountPoint="sidebar" className="sidebar-plugins" />
      <PersonBar person={person} />
    </nav>
  );
}

function PageLink({ href, icon, label }: { href: string; icon: ReactNode; label: string }) {
  const [path] = useLocation();
  const here = path === href || path.startsWith(`${href}/`);
  return (
    <Link
      href={href}
      className="side-link"
      data-testid={`nav-${href.slice(1)}`}
      aria-current={here ? "page" : undefined}
    >
      {icon} {label}
    </Link>
  );
}

function PersonBar({ person }: { person: Person }) {
  const leave = async () => {
    try {
      await studio.logout();
      setPerson(null);
    } catch (error) {
      toastError("You are still signed in.", error);
    }
  };
  return (
    <div className="person">
      <span className="avatar" aria-hidden="true">
        {person.username.slice(0, 1).toUpperCase()}
      </span>
      <span className="person-name">
        {person.username}
        <small>{person.is_operator ? "Operator" : "Member"}</small>
      </span>
      <button
        type="button"
        className="icon-button"
        aria-label="Settings"
        title="Settings"
        onClick={() => Overlay.open("settings")}
      >
        <Settings size={17} />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Sign out"
        title="Sign out"
        onClick={leave}
        data-testid="logout"
      >
        <LogOut size={17} />
      </button>
    </div>
  );
}
