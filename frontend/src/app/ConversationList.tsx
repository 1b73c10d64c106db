import { Archive, MoreHorizontal, Pin } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import { Link, useLocation } from "wouter";
import type { Conversation, SearchMatch } from "@/api/types";
import { useReadable } from "@/plugins/react";
import { dayLabel } from "@/ui/format";
import { Menu } from "@/ui/Menu";
import { MoreButton } from "@/ui/MoreButton";
import { Problem } from "@/ui/states";
import { useConversationMenu } from "./conversationMenu";
import { hiddenConversations } from "./conversations";
import { useConversations } from "./queries";
import { RenameForm } from "./RenameForm";

interface ListProps {
  /** What is looked for, in titles and in all that was said. */
  readonly search: string;
  readonly archived: boolean;
}

export function ConversationList({ search, archived }: ListProps) {
  const pages = useConversations({ search, archived });
  const hidden = useReadable(hiddenConversations);
  const { items = [], isPending, isError, error, refetch, isPlaceholderData } = pages;
  if (isPending) return <ListSkeleton />;
  if (isError) return <Problem error={error} onRetry={() => void refetch()} />;
  const visible = items.filter(({ id }) => !hidden.has(id));
  if (visible.length === 0) return <p className="side-note">{nothing(search, archived)}</p>;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrow keys are a short cut; Tab reaches every link as well
    <div className="conversations" aria-busy={isPlaceholderData} onKeyDown={moveFocus}>
      {grouped(visible, search, archived).map(([label, items]) => (
        <section key={label} aria-label={label}>
          <h3>{label}</h3>
          <ul>
            {items.map((item) => (
              <ConversationItem key={item.id} conversation={item} />
            ))}
          </ul>
        </section>
      ))}
      <MoreButton pages={pages} label="Older chats" />
    </div>
  );
}

function nothing(search: string, archived: boolean): string {
  if (search) return `Nothing was said about “${search}”, and no chat is called so.`;
  return archived
    ? "Nothing is archived. What you archive is kept here, out of the way."
    : "Your chats will be listed here.";
}

function grouped(
  items: readonly Conversation[],
  search: string,
  archived: boolean,
): readonly [string, readonly Conversation[]][] {
  if (search) return [["Found", items]];
  const groups = new Map<string, Conversation[]>();
  for (const item of items) {
    const label = item.pinned && !archived ? "Pinned" : dayLabel(item.updated_at);
    groups.set(label, [...(groups.get(label) ?? []), item]);
  }
  return [...groups];
}

/** Up and down go through the list, as in any list; into it from the search box as well. */
export function moveFocus(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target instanceof HTMLInputElement) return;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>("li > a, li > .conversation-row > a")];
  const at = links.findIndex((link) => link.closest("li")?.contains(document.activeElement));
  const next = links[at + step];
  if (at < 0 || !next) return;
  event.preventDefault();
  next.focus();
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

function ConversationItem({ conversation }: { conversation: Conversation }) {
  const { id, title, pinned, archived, matches } = conversation;
  const [path] = useLocation();
  const [renaming, setRenaming] = useState(false);
  const items = useConversationMenu(conversation, () => setRenaming(true));
  if (renaming) {
    return (
      <li>
        <RenameForm id={id} title={title} onDone={() => setRenaming(false)} />
      </li>
    );
  }
  return (
    <li data-testid={`conversation-${id}`}>
      <div className="conversation conversation-row">
        <Link href={`/c/${id}`} aria-current={path === `/c/${id}` ? "page" : undefined} title={title}>
          {title || "Untitled"}
        </Link>
        {pinned && <Pin size={13} className="conversation-mark" aria-label="Pinned" />}
        {archived && matches && <Archive size={13} className="conversation-mark" aria-label="Archived" />}
        <Menu label={`More for ${title}`} icon={<MoreHorizontal size={16} />} items={items} />
      </div>
      {matches?.map((match) => (
        <Excerpt key={match.message_id} conversationId={id} match={match} />
      ))}
    </li>
  );
}

/** Where it was said; leads there. */
function Excerpt({ conversationId, match }: { conversationId: string; match: SearchMatch }) {
  return (
    <Link
      href={`/c/${conversationId}?message=${match.message_id}`}
      className="excerpt"
      data-testid="search-match"
    >
      <small>{match.role === "user" ? "You" : "Answer"}</small>{" "}
      {fromFirstHit(match.excerpt).map(({ text, hit }, index) =>
        // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of one excerpt never change places
        hit ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>,
      )}
    </Link>
  );
}

/** What is left of it on three narrow lines must have the word in it that was looked for. */
const LEAD = 40;

function fromFirstHit(excerpt: SearchMatch["excerpt"]): SearchMatch["excerpt"] {
  const [first, ...rest] = excerpt;
  if (!first || first.hit || first.text.length <= LEAD) return excerpt;
  return [{ ...first, text: `…${first.text.slice(-LEAD)}` }, ...rest];
}
