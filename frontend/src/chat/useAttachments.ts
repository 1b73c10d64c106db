import { useCallback, useEffect, useRef, useState } from "react";
import { deleteAttachment, uploadAttachment } from "@/api/attachments";
import type { ChatAttachment } from "@/plugins/types";
import { bytes } from "@/ui/format";

/** A file on its way to the server, or there. */
export interface Draft {
  readonly key: number;
  readonly name: string;
  readonly size: number;
  /** An address of its picture in this page. */
  readonly preview: string | null;
  /** From 0 to 1 while it is sent. */
  readonly fraction: number;
  readonly attachment?: ChatAttachment;
  readonly error?: string;
}

/** The server's own limits; said here before anything is sent in vain. */
export const MOST_FILES = 10;
const MOST_BYTES = 10 * 2 ** 20;

let serial = 0;

/** The files of the message being written: each is sent as soon as it is chosen. */
export function useAttachments() {
  const [drafts, setDrafts] = useState<readonly Draft[]>([]);
  const uploads = useRef(new Map<number, AbortController>());
  const change = useCallback((key: number, what: Partial<Draft>) => {
    setDrafts((all) => all.map((draft) => (draft.key === key ? { ...draft, ...what } : draft)));
  }, []);
  const send = useCallback(
    (key: number, file: File) => {
      const abort = new AbortController();
      uploads.current.set(key, abort);
      const onProgress = (fraction: number) => change(key, { fraction });
      uploadAttachment(file, { signal: abort.signal, onProgress })
        .then((attachment) => change(key, { attachment, fraction: 1 }))
        .catch((error: unknown) =>
          change(key, { error: error instanceof Error ? error.message : String(error) }),
        )
        .finally(() => uploads.current.delete(key));
    },
    [change],
  );
  const add = useCallback(
    (files: readonly File[]) => {
      const added = files.map((file) => ({ file, draft: draftOf(file) }));
      setDrafts((all) => [...all, ...added.map(({ draft }) => draft)]);
      for (const { file, draft } of added) if (!draft.error) send(draft.key, file);
    },
    [send],
  );
  const remove = (draft: Draft) => {
    uploads.current.get(draft.key)?.abort();
    release(draft);
    setDrafts((all) => all.filter(({ key }) => key !== draft.key));
    // One that stays unused is purged by the server anyway.
    if (draft.attachment) void deleteAttachment(draft.attachment.id).catch(() => undefined);
  };
  /** What was sent belongs to its message now. */
  const clear = () => {
    for (const draft of drafts) release(draft);
    setDrafts([]);
  };
  useEffect(() => () => uploads.current.forEach((abort) => void abort.abort()), []);
  const ready = drafts.flatMap(({ attachment }) => attachment ?? []);
  const problem = drafts.length > MOST_FILES ? `A message takes ${MOST_FILES} files at most.` : null;
  const settled = drafts.every(({ attachment }) => attachment) && !problem;
  const sending = drafts.some(({ attachment, error }) => !attachment && !error);
  return { drafts, add, remove, clear, ready, settled, sending, problem };
}

function draftOf(file: File): Draft {
  const { name, size, type } = file;
  const preview = type.startsWith("image/") ? URL.createObjectURL(file) : null;
  const error =
    size > MOST_BYTES ? `${bytes(size)} are too many: a file may have ${bytes(MOST_BYTES)}.` : undefined;
  return { key: ++serial, name: name || "pasted", size, preview, fraction: 0, ...(error && { error }) };
}

function release({ preview }: Draft): void {
  if (preview) URL.revokeObjectURL(preview);
}
