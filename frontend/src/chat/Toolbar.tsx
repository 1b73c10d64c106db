import { MoreHorizontal, SlidersHorizontal } from "lucide-react";
import { useState } from "react";
import type { Model } from "@/api/types";
import { useConversationMenu } from "@/app/conversationMenu";
import { useConversations } from "@/app/queries";
import { RenameForm } from "@/app/RenameForm";
import { MenuButton } from "@/app/Shell";
import { PluginMount } from "@/plugins/react";
import { Dialog } from "@/ui/Dialog";
import { Menu } from "@/ui/Menu";
import { ChatSettings } from "./ChatSettings";
import { ModelPicker } from "./ModelPicker";
import { PanelButton } from "./RightPanel";
import { type ChatSession, hasSettings, type SessionState } from "./session";

interface ToolbarProps {
  readonly session: ChatSession;
  readonly state: SessionState;
  readonly models: readonly Model[];
  readonly model: Model | undefined;
  readonly loading: boolean;
}

export function Toolbar({ session, state, models, model, loading }: ToolbarProps) {
  const [setting, setSetting] = useState(false);
  const isSet = hasSettings(state.settings);
  return (
    <header className="toolbar">
      <MenuButton />
      <ModelPicker models={models} model={model} loading={loading} />
      <PluginMount mountPoint="toolbar" className="toolbar-plugins" />
      <div className="toolbar-actions">
        <button
          type="button"
          className="icon-button"
          aria-label="Instructions and parameters"
          title={isSet ? "Instructions and parameters: set for this chat" : "Instructions and parameters"}
          data-set={isSet || undefined}
          onClick={() => setSetting(true)}
          data-testid="chat-settings"
        >
          <SlidersHorizontal size={17} />
        </button>
        {state.id && <ChatMenu id={state.id} state={state} />}
        <PanelButton />
      </div>
      {setting && <ChatSettings session={session} state={state} onClose={() => setSetting(false)} />}
    </header>
  );
}

function ChatMenu({ id, state: { title, archived } }: { id: string; state: SessionState }) {
  const [renaming, setRenaming] = useState(false);
  const { items: listed = [] } = useConversations();
  const pinned = listed.find((conversation) => conversation.id === id)?.pinned ?? false;
  const items = useConversationMenu({ id, title, pinned, archived }, () => setRenaming(true));
  return (
    <>
      <Menu label="This chat" icon={<MoreHorizontal size={18} />} items={items} />
      {renaming && (
        <Dialog title="Rename the chat" onClose={() => setRenaming(false)}>
          <RenameForm id={id} title={title} onDone={() => setRenaming(false)} />
        </Dialog>
      )}
    </>
  );
}
