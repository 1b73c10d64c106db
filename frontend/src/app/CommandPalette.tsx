import {
  Cpu,
  FileUp,
  MessageSquare,
  MessageSquarePlus,
  MessageSquareQuote,
  Moon,
  Puzzle,
  Server,
  Settings,
  Trash2,
  Webhook,
} from "lucide-react";
import { type KeyboardEvent, type ReactNode, useId, useState } from "react";
import { useLocation } from "wouter";
import type { Person } from "@/api/types";
import { chooseModel } from "@/chat/choosing";
import { PluginMount, useReadable } from "@/plugins/react";
import { Dialog } from "@/ui/Dialog";
import { toggleTheme } from "@/ui/theme";
import { hiddenConversations } from "./conversations";
import { Overlay } from "./overlay";
import { useConversations, useModels } from "./queries";
import { useSearchText } from "./useSearchText";

interface CommandItem {
  readonly id: string;
  readonly label: string;
  readonly kind: string;
  readonly icon: ReactNode;
  readonly run: () => void;
}

const MOST = 12;

/** Ctrl K: go to a chat, change the model, do what the studio can do, and what UI plugins add. */
export function CommandPalette({ person }: { person: Person }) {
  const [query, setQuery] = useState("");
  const [index, setIndex] = useState(0);
  const said = useSaid(query);
  const found = [...search(useCommands(person), query), ...said].slice(0, MOST);
  const listId = useId();
  const close = () => Overlay.close("palette");
  const run = (command: CommandItem | undefined) => {
    if (!command) return;
    close();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") run(found[index]);
    else if (event.key === "ArrowDown") setIndex(Math.min(index + 1, found.length - 1));
    else if (event.key === "ArrowUp") setIndex(Math.max(index - 1, 0));
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Commands" kind="palette" onClose={close}>
      <input
        className="palette-input"
        placeholder="Search chats, models and commands…"
        aria-label="Search chats, models and commands"
        role="combobox"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={found[index] && `${listId}-${index}`}
        value={query}
        autoFocus
        onChange={(event) => {
          setQuery(event.target.value);
          setIndex(0);
        }}
        onKeyDown={onKeyDown}
        data-testid="palette-input"
      />
      <div className="palette-list" id={listId} role="listbox" aria-label="Results">
        {found.map((command, at) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard works from the input above
          <div
            key={command.id}
            id={`${listId}-${at}`}
            role="option"
            aria-selected={at === index}
            tabIndex={-1}
            onMouseMove={() => setIndex(at)}
            onClick={() => run(command)}
          >
            {command.icon}
            <span>{command.label}</span>
            <small>{command.kind}</small>
          </div>
        ))}
        {found.length === 0 && <p className="palette-none">Nothing found for “{query}”.</p>}
      </div>
      <PluginMount mountPoint="command-palette" slot={{ query, close }} className="palette-plugins" />
    </Dialog>
  );
}

function useCommands(person: Person): readonly CommandItem[] {
  const [, navigate] = useLocation();
  const { items: chats = [] } = useConversations();
  const { data: models = [] } = useModels();
  const hidden = useReadable(hiddenConversations);
  const own: CommandItem[] = [
    {
      id: "new",
      label: "New chat",
      kind: "Go to",
      icon: <MessageSquarePlus size={16} />,
      run: () => navigate("/"),
    },
    {
      id: "plugins",
      label: person.is_operator ? "Manage plugins" : "See plugins",
      kind: "Go to",
      icon: <Puzzle size={16} />,
      run: () => navigate("/plugins"),
    },
    {
      id: "theme",
      label: "Switch between light and dark",
      kind: "Command",
      icon: <Moon size={16} />,
      run: toggleTheme,
    },
    {
      id: "import",
      label: "Import chats",
      kind: "Command",
      icon: <FileUp size={16} />,
      run: () => Overlay.open("import"),
    },
    {
      id: "deleted",
      label: "Deleted chats",
      kind: "Command",
      icon: <Trash2 size={16} />,
      run: () => Overlay.open("deleted"),
    },
    {
      id: "settings",
      label: "Settings",
      kind: "Command",
      icon: <Settings size={16} />,
      run: () => Overlay.open("settings"),
    },
  ];
  const managing: CommandItem[] = [
    {
      id: "webhooks",
      label: "Webhooks",
      kind: "Go to",
      icon: <Webhook size={16} />,
      run: () => navigate("/webhooks"),
    },
    {
      id: "system",
      label: "System: health and nodes",
      kind: "Go to",
      icon: <Server size={16} />,
      run: () => navigate("/system"),
    },
  ];
  const byModel = models.map((model) => ({
    id: `model:${model.id}`,
    label: `Use ${model.name}`,
    kind: "Model",
    icon: <Cpu size={16} />,
    run: () => chooseModel(model.id),
  }));
  const byChat = chats
    .filter(({ id }) => !hidden.has(id))
    .map(({ id, title }) => ({
      id: `chat:${id}`,
      label: title,
      kind: "Chat",
      icon: <MessageSquare size={16} />,
      run: () => navigate(`/c/${id}`),
    }));
  return [...own, ...(person.is_operator ? managing : []), ...byModel, ...byChat];
}

/** Where the words were said, once they are more than a letter or two. */
function useSaid(query: string): readonly CommandItem[] {
  const [, navigate] = useLocation();
  const wanted = useSearchText(query);
  const { items = [] } = useConversations(wanted.length > 2 ? { search: wanted } : {});
  return items.flatMap(({ id, title, matches = [] }) =>
    matches.slice(0, 1).map(({ message_id, excerpt }) => ({
      id: `said:${message_id}`,
      label: `${excerpt.map(({ text }) => text).join("")}`,
      kind: title,
      icon: <MessageSquareQuote size={16} />,
      run: () => navigate(`/c/${id}?message=${message_id}`),
    })),
  );
}

function search(commands: readonly CommandItem[], query: string): readonly CommandItem[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ label, kind }: CommandItem) =>
    words.every((word) => `${label} ${kind}`.toLowerCase().includes(word));
  return commands.filter(fits).slice(0, MOST);
}
