import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import * as studio from "@/api/studio";
import { useModels } from "@/app/queries";
import { MenuButton } from "@/app/Shell";
import { keys, sessions } from "@/app/wiring";
import { NO_CONVERSATION } from "@/plugins/host";
import { pluginManager } from "@/plugins/instance";
import { PluginMount, useMounted, useReadable } from "@/plugins/react";
import type { ConversationInfo } from "@/plugins/types";
import { Problem, Splash } from "@/ui/states";
import { Composer } from "./Composer";
import { ModelPicker } from "./ModelPicker";
import { chosenModel, usableModel } from "./model";
import type { ChatSession, SessionState } from "./session";
import { Transcript } from "./Transcript";
import { addUsage } from "./turns";
import { Welcome } from "./Welcome";

/** One conversation; without an id, a new one. */
export function ChatPage({ id }: { id: string | undefined }) {
  const draft = useReadable(sessions.draft);
  const open = id ? sessions.find(id) : draft;
  const stored = useQuery({
    queryKey: keys.conversation(id ?? ""),
    queryFn: ({ signal }) => studio.conversation(id ?? "", signal),
    enabled: Boolean(id) && !open,
    staleTime: 0,
    gcTime: 0,
  });
  const session = open ?? (stored.data && sessions.adopt(stored.data));
  if (session) return <Chat key={session.key} session={session} />;
  if (!stored.isError) return <Splash />;
  return <Problem error={stored.error} onRetry={() => void stored.refetch()} full />;
}

function Chat({ session }: { session: ChatSession }) {
  const state = useReadable(session);
  const { data: models = [], isPending, isError, error, refetch } = useModels();
  const model = usableModel(models, useReadable(chosenModel));
  useEffect(() => void session.follow(), [session]);
  usePublished(session, state, model?.id ?? null);
  const send = (text: string) => model && void session.send(text, model.id);
  const retry = model ? () => void session.retry(model.id) : undefined;
  const hasPanel = useMounted("right-panel").length > 0;
  return (
    <main className="chat" aria-label="Chat">
      <header className="toolbar">
        <MenuButton />
        <ModelPicker models={models} model={model} loading={isPending} />
        <PluginMount mountPoint="toolbar" className="toolbar-plugins" />
      </header>
      <div className="chat-columns">
        <section className="chat-main" aria-label={state.title}>
          {isError && <Problem error={error} onRetry={() => void refetch()} />}
          {state.turns.length > 0 ? (
            <Transcript turns={state.turns} onRetry={state.status === "idle" ? retry : undefined} />
          ) : (
            <Welcome model={model} loading={isPending} onPick={send} />
          )}
          <Composer
            answering={state.status === "answering"}
            disabled={!model}
            onSend={send}
            onStop={() => session.stop()}
          />
        </section>
        {hasPanel && (
          <aside className="right-panel" aria-label="Plugins">
            <PluginMount mountPoint="right-panel" />
          </aside>
        )}
      </div>
    </main>
  );
}

/** Tells UI plugins, and the window's title, which conversation the person is looking at. */
function usePublished(session: ChatSession, { id, title, turns }: SessionState, model: string | null): void {
  const usage = useMemo(
    () =>
      turns.reduce<ConversationInfo["usage"]>(
        (sum, turn) => (turn.role === "assistant" ? (addUsage(sum, turn.usage) ?? sum) : sum),
        NO_CONVERSATION.usage,
      ),
    [turns],
  );
  const messageCount = turns.length;
  const { prompt_tokens, completion_tokens, total_tokens } = usage;
  useEffect(() => {
    sessions.current.set(session);
    document.title = `${title} · AI Chat Studio`;
    const sum = { prompt_tokens, completion_tokens, total_tokens };
    pluginManager.host.conversation.set({ id, title, model, messageCount, usage: sum });
  }, [session, id, title, model, messageCount, prompt_tokens, completion_tokens, total_tokens]);
}
