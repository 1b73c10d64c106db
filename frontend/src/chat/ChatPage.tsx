import { useQuery } from "@tanstack/react-query";
import { MessageSquareOff } from "lucide-react";
import { useEffect, useMemo } from "react";
import { Link } from "wouter";
import * as chat from "@/api/chat";
import { ApiError } from "@/api/http";
import { archiveConversation } from "@/app/conversations";
import { Overlay } from "@/app/overlay";
import { useModels } from "@/app/queries";
import { MenuButton } from "@/app/Shell";
import { keys, sessions } from "@/app/wiring";
import { useReadable } from "@/plugins/react";
import type { ChatAttachment } from "@/plugins/types";
import { Empty, Problem, Splash } from "@/ui/states";
import { Composer } from "./Composer";
import { ChatContext } from "./context";
import { chosenModel, usableModel } from "./model";
import { usePublished } from "./published";
import { RightPanel } from "./RightPanel";
import type { ChatSession, SessionState } from "./session";
import { Toolbar } from "./Toolbar";
import { Transcript } from "./Transcript";
import { useJump } from "./useJump";
import { Welcome } from "./Welcome";

/** One conversation; without an id, a new one. */
export function ChatPage({ id }: { id: string | undefined }) {
  const draft = useReadable(sessions.draft);
  const open = id ? sessions.find(id) : draft;
  const stored = useQuery({
    queryKey: keys.conversation(id ?? ""),
    queryFn: ({ signal }) => chat.conversation(id ?? "", signal),
    enabled: Boolean(id) && !open,
    staleTime: 0,
    gcTime: 0,
  });
  const session = open ?? (stored.data && sessions.adopt(stored.data));
  if (session) return <Chat key={session.key} session={session} />;
  if (!stored.isError) return <Splash />;
  return <NoConversation error={stored.error} onRetry={() => void stored.refetch()} />;
}

function NoConversation({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const isGone = error instanceof ApiError && error.status === 404;
  return (
    <main className="chat" aria-label="Chat">
      <header className="toolbar">
        <MenuButton />
      </header>
      {isGone ? (
        <div role="alert">
          <Empty icon={<MessageSquareOff size={26} />} title="This chat is not here">
            <p className="muted">It was deleted, or it is somebody else's.</p>
            <p className="empty-actions">
              <button type="button" className="button" onClick={() => Overlay.open("deleted")}>
                Deleted chats
              </button>
              <Link href="/" className="button primary">
                New chat
              </Link>
            </p>
          </Empty>
        </div>
      ) : (
        <Problem error={error} onRetry={onRetry} full />
      )}
    </main>
  );
}

function Chat({ session }: { session: ChatSession }) {
  const state = useReadable(session);
  const { data: models = [], isPending, isError, error, refetch } = useModels();
  const chosen = useReadable(chosenModel);
  const model = usableModel(models, state.model ?? chosen) ?? usableModel(models, chosen);
  const busy = state.status === "answering";
  const around = useMemo(() => ({ session, models, model, busy }), [session, models, model, busy]);
  useEffect(() => void session.follow(), [session]);
  usePublished(session, state, model?.id ?? null);
  useJump(session);
  const send = (text: string, attachments: readonly ChatAttachment[] = []) =>
    model && void session.send(text, model.id, attachments);
  return (
    <ChatContext value={around}>
      <main className="chat" aria-label="Chat">
        <Toolbar session={session} state={state} models={models} model={model} loading={isPending} />
        <div className="chat-columns">
          <section className="chat-main" aria-label={state.title}>
            {isError && <Problem error={error} onRetry={() => void refetch()} />}
            {state.turns.length > 0 ? (
              <Transcript turns={state.turns} />
            ) : (
              <Welcome model={model} loading={isPending} onPick={send} />
            )}
            <ArchivedNote state={state} />
            <Composer answering={busy} disabled={!model} onSend={send} onStop={() => session.stop()} />
          </section>
          <RightPanel />
        </div>
      </main>
    </ChatContext>
  );
}

function ArchivedNote({ state: { id, title, archived } }: { state: SessionState }) {
  if (!id || !archived) return null;
  return (
    <p className="archived-note">
      This chat is archived.{" "}
      <button type="button" className="link" onClick={() => void archiveConversation({ id, title }, false)}>
        Bring it back
      </button>
    </p>
  );
}
