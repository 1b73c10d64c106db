/** What people do to whole conversations: shown at once, told to the server, and taken back when it says no. */
import * as chat from "@/api/chat";
import type { Conversation, ConversationChange } from "@/api/types";
import { Value } from "@/plugins/emitter";
import { toast, toastError } from "@/ui/toasts";
import { keys, queryClient, sessions } from "./wiring";

/** Deleted or put away a moment ago; the list may not have heard of it yet. */
export const hiddenConversations = new Value<ReadonlySet<string>>(new Set());

export const listsChanged = () => queryClient.invalidateQueries({ queryKey: keys.conversations });

type Named = Pick<Conversation, "id" | "title">;

export async function renameConversation(id: string, title: string): Promise<void> {
  await attempt("The chat was not renamed.", async () => {
    await chat.changeConversation(id, { title });
    sessions.find(id)?.rename(title);
  });
}

export async function retitleConversation(id: string): Promise<void> {
  await attempt("The chat got no new title.", async () => {
    const { data } = await chat.retitleConversation(id);
    sessions.find(id)?.rename(data.title);
  });
}

/** Saves the file, or says what is wrong: a link would show the server's error in place of the page. */
export async function exportConversation(id: string, format: string): Promise<void> {
  try {
    const { name, file } = await chat.exportChat(id, format);
    const url = URL.createObjectURL(file);
    Object.assign(document.createElement("a"), { href: url, download: name }).click();
    URL.revokeObjectURL(url);
  } catch (error) {
    toastError("The chat was not exported.", error);
  }
}

export function pinConversation(id: string, pinned: boolean): Promise<boolean> {
  return change(id, { pinned }, pinned ? "The chat was not pinned." : "The chat is still pinned.");
}

export async function archiveConversation({ id, title }: Named, archived: boolean): Promise<void> {
  hide(id);
  const done = await change(id, { archived }, "The chat stays where it was.");
  show(id);
  if (!done) return;
  sessions.find(id)?.take({ archived });
  const text = archived ? `Archived “${title}”` : `“${title}” is back in your chats`;
  const undo = () => void archiveConversation({ id, title }, !archived);
  toast({ text, action: { label: "Undo", run: undo } });
}

export async function deleteConversation({ id, title }: Named): Promise<void> {
  hide(id);
  const done = await attempt("The chat was not deleted.", () => chat.deleteConversation(id));
  if (!done) return show(id);
  sessions.forget(id);
  const undo = () => void restoreConversation({ id, title });
  toast({ text: `Deleted “${title}”`, action: { label: "Undo", run: undo } });
}

export async function restoreConversation({ id }: Named): Promise<boolean> {
  const done = await attempt("The chat did not come back.", () => chat.restoreConversation(id));
  if (done) show(id);
  await queryClient.invalidateQueries({ queryKey: keys.conversation(id) });
  return done;
}

function change(id: string, what: ConversationChange, complaint: string): Promise<boolean> {
  return attempt(complaint, () => chat.changeConversation(id, what));
}

async function attempt(complaint: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    await listsChanged();
    return true;
  } catch (error) {
    toastError(complaint, error);
    return false;
  }
}

function hide(id: string): void {
  hiddenConversations.set(new Set([...hiddenConversations.get(), id]));
}

function show(id: string): void {
  hiddenConversations.set(new Set([...hiddenConversations.get()].filter((hidden) => hidden !== id)));
}
