import { FileText, TriangleAlert, X } from "lucide-react";
import { bytes } from "@/ui/format";
import type { Draft } from "./useAttachments";

/** The files of the message being written. */
export function DraftList({
  drafts,
  onRemove,
}: {
  drafts: readonly Draft[];
  onRemove: (draft: Draft) => void;
}) {
  if (drafts.length === 0) return null;
  return (
    <ul className="drafts" aria-label="Attached files">
      {drafts.map((draft) => (
        <li key={draft.key} data-testid="attached" data-status={statusOf(draft)}>
          <DraftPicture draft={draft} />
          <span className="draft-text">
            <span>{draft.name}</span>
            <small role={draft.error ? "alert" : undefined}>{draft.error ?? wordsOf(draft)}</small>
          </span>
          <button
            type="button"
            className="icon-button"
            aria-label={`Remove ${draft.name}`}
            onClick={() => onRemove(draft)}
          >
            <X size={14} />
          </button>
          {!draft.attachment && !draft.error && (
            <progress value={draft.fraction} max={1} aria-label={`Sending ${draft.name}`} />
          )}
        </li>
      ))}
    </ul>
  );
}

function DraftPicture({ draft: { preview, error } }: { draft: Draft }) {
  if (error) return <TriangleAlert size={18} aria-hidden="true" />;
  if (preview) return <img src={preview} alt="" />;
  return <FileText size={18} aria-hidden="true" />;
}

function statusOf({ attachment, error }: Draft): string {
  if (error) return "failed";
  return attachment ? "ready" : "sending";
}

function wordsOf({ attachment, fraction, size }: Draft): string {
  if (attachment) return bytes(size);
  return fraction < 1 ? `${Math.round(fraction * 100)}%` : "Looking at it…";
}
