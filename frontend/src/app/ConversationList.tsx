import { MoreHorizontal } from "lucide-react";
import { type FormEvent, useDeferredValue, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import * as studio from "@/api/studio";
import type { Conversation } from "@/api/types";
import { useReadable } from "@/plugins/react";
import { dayLabel } from "@/ui/format";
import { Menu } from "@/ui/Menu";
import { Problem } from "@/ui/states";
import { toastError } from "@/ui/toasts";
import { deleteConversation, hiddenConversations } from "./deletions";
import { useConversations, usePluginList } from "./queries";
import { keys, queryClient, sessions } from "./wiring";

export function ConversationList({ filter }: { filter: string }) {
  const wanted = useDeferredValue(filter.trim().toLowerCase());
  const { data, isPending, isError, error, refetch } = useConversations(wanted);
  const hidden = useReadable(hiddenConversations);
  if (isPending) return <ListSkeleton />;
  if (isError) return <Problem error={error} onRetry={() => void refetch()} />;
  const visible = data.filter(({ id, title }) => !hidden.has(id) && title.toLowerCase().includes(wanted));
  if (visible.length === 0) {
    return (
      <p className="side-note">
        {wanted ? "No chat has that in its title." : "Your chats will be listed here."}
      </p>
    );
  }
  return (
    <div className="conversations">
      {grouped(visible).map(([label, items]) => (
        <section key={label}>
          <h3>{label}</h3>
          <ul>
            {items.map((item) => (
              <ConversationItem key={item.id} conversation={item} />
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

function grouped(items: readonly Conversation[]): [string, Conversation[]][] {
  const groups = new Map<string, Conversation[]>();
  for (const item of items) {
    const label = dayLabel(item.updated_at);
    groups.set(label, [...(groups.get(label) ?? []), item]);
  }
  return [...groups];
}

function ListSkeleton() {
  return (
    <div className="conversations" aria-hidden="true">
      {[70, 85, 55, 75].map((width) => (
        <div key={width} className="skeleton" style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}

function ConversationItem({ conversation: { id, title } }: { conversation: Conversation }) {
  const [path, navigate] = useLocation();
  const [renaming, setRenaming] = useState(false);
  const { data: plugins = [] } = usePluginList();
  const here = path === `/c/${id}`;
  const remove = () => {
    deleteConversation(id, title);
    if (here) navigate("/");
  };
  const exports = plugins.filter((plugin) => plugin.type === "export" && plugin.state === "active");
  if (renaming) return <RenameForm id={id} title={title} onDone={() => setRenaming(false)} />;
  return (
    <li className="conversation" data-testid={`conversation-${id}`}>
      <Link href={`/c/${id}`} aria-current={here ? "page" : undefined} title={title}>
        {title || "Untitled"}
      </Link>
      <Menu
        label={`More for ${title}`}
        icon={<MoreHorizontal size={16} />}
        items={[
          { label: "Rename", run: () => setRenaming(true) },
          ...exports.map((plugin) => ({
            label: `Export as ${plugin.name.replace(/ export$/i, "")}`,
            run: () => window.location.assign(studio.exportUrl(id, plugin.id)),
          })),
          { label: "Delete", run: remove, danger: true },
        ]}
      />
    </li>
  );
}

function RenameForm({ id, title, onDone }: { id: string; title: string; onDone: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  const save = async (event?: FormEvent) => {
    event?.preventDefault();
    const next = input.current?.value.trim();
    onDone();
    if (!next || next === title) return;
    try {
      await studio.renameConversation(id, next);
      sessions.find(id)?.rename(next);
      await queryClient.invalidateQueries({ queryKey: keys.conversations });
    } catch (error) {
      toastError("The chat was not renamed.", error);
    }
  };
  return (
    <li>
      <form className="rename" onSubmit={save}>
        <input
          ref={input}
          defaultValue={title}
          aria-label="New title"
          autoFocus
          onFocus={(event) => event.target.select()}
          onBlur={() => void save()}
          onKeyDown={(event) => event.key === "Escape" && onDone()}
        />
      </form>
    </li>
  );
}
