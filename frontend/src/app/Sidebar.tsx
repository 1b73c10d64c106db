import {
  Archive,
  ArrowLeft,
  Command,
  FileUp,
  LogOut,
  MessageSquarePlus,
  MoreHorizontal,
  Puzzle,
  Search,
  Server,
  Settings,
  Trash2,
  Webhook,
  X,
} from "lucide-react";
import { type KeyboardEvent, type ReactNode, useDeferredValue, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import * as studio from "@/api/studio";
import type { Person } from "@/api/types";
import { PluginMount } from "@/plugins/react";
import { Logo } from "@/ui/Logo";
import { Menu } from "@/ui/Menu";
import { toastError } from "@/ui/toasts";
import { ConversationList } from "./ConversationList";
import { Overlay } from "./overlay";
import { useSearchText } from "./useSearchText";
import { setPerson } from "./wiring";

export function Sidebar({ person }: { person: Person }) {
  return (
    <nav className="sidebar" aria-label="Conversations and pages">
      <SidebarHead />
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
      <Chats />
      <PluginMount mountPoint="sidebar" className="sidebar-plugins" />
      <PersonBar person={person} />
    </nav>
  );
}

function SidebarHead() {
  return (
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
  );
}

/** The list with its search; or, instead, what was archived. */
function Chats() {
  const [filter, setFilter] = useState("");
  const [archived, setArchived] = useState(false);
  const search = useDeferredValue(useSearchText(filter));
  const box = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      box.current?.querySelector<HTMLElement>(".conversations a")?.focus();
    } else if (event.key === "Escape" && filter) {
      event.stopPropagation();
      setFilter("");
    }
  };
  return (
    <div className="chats" ref={box}>
      <div className="side-search-row">
        <label className="side-search">
          <Search size={15} aria-hidden="true" />
          <input
            type="search"
            placeholder="Search chats"
            aria-label="Search conversations"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
            onKeyDown={onKeyDown}
            data-testid="conversation-search"
          />
        </label>
        <Menu
          label="More about chats"
          icon={<MoreHorizontal size={17} />}
          items={[
            { label: "Import chats…", icon: <FileUp size={15} />, run: () => Overlay.open("import") },
            { label: "Archived chats", icon: <Archive size={15} />, run: () => setArchived(true) },
            { label: "Deleted chats", icon: <Trash2 size={15} />, run: () => Overlay.open("deleted") },
          ]}
        />
      </div>
      {archived && (
        <button type="button" className="side-link archive-head" onClick={() => setArchived(false)}>
          <ArrowLeft size={16} aria-hidden="true" /> Archived chats
        </button>
      )}
      <ConversationList search={search} archived={archived} />
    </div>
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
