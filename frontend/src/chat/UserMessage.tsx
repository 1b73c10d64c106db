import { Pencil } from "lucide-react";
import { type KeyboardEvent, useContext, useState } from "react";
import { CopyButton } from "@/ui/CopyButton";
import { AttachmentList } from "./AttachmentList";
import { BranchSwitch } from "./BranchSwitch";
import { ChatContext } from "./context";
import type { UserTurn } from "./turns";

export function UserMessage({ turn }: { turn: UserTurn }) {
  const around = useContext(ChatContext);
  const [editing, setEditing] = useState<string>();
  const mayEdit = around?.model && !around.busy && turn.parentId !== undefined;
  const save = (text: string) => {
    setEditing(undefined);
    if (around?.model) void around.session.edit(turn, text, around.model.id);
  };
  return (
    <article
      className="turn turn-user"
      data-testid="message-user"
      data-message-id={turn.id}
      data-editing={editing === turn.id || undefined}
      aria-label="You"
    >
      {turn.attachments.length > 0 && <AttachmentList attachments={turn.attachments} />}
      {editing === turn.id ? (
        <EditForm text={turn.text} onSave={save} onCancel={() => setEditing(undefined)} />
      ) : (
        <>
          {turn.text && (
            <div className="bubble" dir="auto">
              {turn.text}
            </div>
          )}
          <footer className="user-foot">
            <span className="user-actions">
              {turn.text && <CopyButton text={() => turn.text} label="Copy message" />}
              {mayEdit && (
                <button
                  type="button"
                  className="icon-button"
                  aria-label="Edit message"
                  title="Edit: asks anew, and keeps this one beside it"
                  onClick={() => setEditing(turn.id)}
                >
                  <Pencil size={15} />
                </button>
              )}
            </span>
            <BranchSwitch placeId={turn.id} siblings={turn.siblings} what="question" />
          </footer>
        </>
      )}
    </article>
  );
}

interface EditProps {
  readonly text: string;
  readonly onSave: (text: string) => void;
  readonly onCancel: () => void;
}

function EditForm({ text, onSave, onCancel }: EditProps) {
  const [draft, setDraft] = useState(text);
  const ready = draft.trim().length > 0;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onCancel();
    } else if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      if (ready) onSave(draft.trim());
    }
  };
  return (
    <form
      className="edit-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) onSave(draft.trim());
      }}
    >
      <textarea
        aria-label="Edit the message"
        dir="auto"
        value={draft}
        autoFocus
        onFocus={({ target }) => target.setSelectionRange(target.value.length, target.value.length)}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div>
        <button type="button" className="button small ghost" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" className="button small primary" disabled={!ready}>
          Ask again
        </button>
      </div>
    </form>
  );
}
