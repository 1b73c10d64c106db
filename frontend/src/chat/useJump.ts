import { useEffect } from "react";
import { useSearchParams } from "wouter";
import { pluginManager } from "@/plugins/instance";
import { toastError } from "@/ui/toasts";
import type { ChatSession } from "./session";
import type { Turn } from "./turns";

/** An address with `?message=` leads to that message, on whatever branch it is. */
export function useJump(session: ChatSession): void {
  const [search, setSearch] = useSearchParams();
  const wanted = search.get("message");
  useEffect(() => {
    if (!wanted) return;
    void jump(session, wanted).catch((error: unknown) => toastError("That message was not found.", error));
    setSearch({}, { replace: true });
  }, [session, wanted, setSearch]);
}

async function jump(session: ChatSession, messageId: string): Promise<void> {
  if (!turnWith(session.get().turns, messageId)) await session.show(messageId);
  const turn = turnWith(session.get().turns, messageId);
  // When what was asked for is drawn.
  if (turn) requestAnimationFrame(() => pluginManager.host.transcript.emit("reveal", turn.id));
}

/** A message can be one of several in an answer. */
export function turnWith(turns: readonly Turn[], messageId: string): Turn | undefined {
  return turns.find(
    (turn) => turn.id === messageId || (turn.role === "assistant" && turn.ids.includes(messageId)),
  );
}
