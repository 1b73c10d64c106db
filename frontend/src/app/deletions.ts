/** Deleting with an undo: the conversation leaves the list at once, and the server a little later. */
import * as studio from "@/api/studio";
import { Value } from "@/plugins/emitter";
import { toast, toastError } from "@/ui/toasts";
import { keys, queryClient, sessions } from "./wiring";

const GRACE_MS = 7_000;

export const hiddenConversations = new Value<ReadonlySet<string>>(new Set());
const timers = new Map<string, ReturnType<typeof setTimeout>>();

export function deleteConversation(id: string, title: string): void {
  hide(id);
  timers.set(
    id,
    setTimeout(() => void commit(id), GRACE_MS),
  );
  toast({ text: `Deleted “${title}”`, action: { label: "Undo", run: () => undo(id) } });
}

/** The page is going away: what was deleted must not come back. */
export function commitDeletions(): void {
  for (const id of [...timers.keys()]) void commit(id, true);
}

function undo(id: string): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
  show(id);
}

async function commit(id: string, leaving = false): Promise<void> {
  clearTimeout(timers.get(id));
  timers.delete(id);
  try {
    await studio.deleteConversation(id, leaving);
    sessions.forget(id);
    await queryClient.invalidateQueries({ queryKey: keys.conversations });
  } catch (error) {
    toastError("The conversation was not deleted.", error);
    show(id);
  }
}

function hide(id: string): void {
  hiddenConversations.set(new Set([...hiddenConversations.get(), id]));
}

function show(id: string): void {
  hiddenConversations.set(new Set([...hiddenConversations.get()].filter((hidden) => hidden !== id)));
}
