import { FileUp, TriangleAlert } from "lucide-react";
import { type DragEvent, useEffect, useRef, useState } from "react";
import { Link } from "wouter";
import { importConversations } from "@/api/chat";
import { ApiError } from "@/api/http";
import type { ImportReport } from "@/api/types";
import { Dialog } from "@/ui/Dialog";
import { ProgressBar } from "@/ui/ProgressBar";
import { Problem } from "@/ui/states";
import { listsChanged } from "./conversations";
import { Overlay } from "./overlay";

type Stage =
  | { readonly name: "choose"; readonly error?: unknown }
  | { readonly name: "sending"; readonly file: File; readonly fraction: number | null }
  | { readonly name: "done"; readonly report: ImportReport };

const FORMATS: Readonly<Record<string, string>> = {
  chatgpt: "ChatGPT",
  "open-webui": "Open WebUI",
  openwebui: "Open WebUI",
  open_webui: "Open WebUI",
  "json-export": "AI Chat Studio",
  studio: "AI Chat Studio",
};

/** Brings in conversations from elsewhere. */
export function ImportDialog() {
  const [stage, setStage] = useState<Stage>({ name: "choose" });
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);
  const send = async (file: File) => {
    abort.current = new AbortController();
    const onProgress = (fraction: number) =>
      setStage({ name: "sending", file, fraction: fraction < 1 ? fraction : null });
    onProgress(0);
    try {
      const report = await importConversations(file, { signal: abort.current.signal, onProgress });
      setStage({ name: "done", report });
      await listsChanged();
    } catch (error) {
      const left = error instanceof DOMException && error.name === "AbortError";
      setStage(left ? { name: "choose" } : { name: "choose", error });
    }
  };
  return (
    <Dialog title="Import chats" onClose={() => Overlay.close("import")}>
      {stage.name === "choose" && <Choose error={stage.error} onFile={(file) => void send(file)} />}
      {stage.name === "sending" && (
        <div className="import-sending" role="status">
          <p>{stage.fraction === null ? `Reading ${stage.file.name}…` : `Sending ${stage.file.name}…`}</p>
          <ProgressBar label="Progress" fraction={stage.fraction} />
          <button type="button" className="button" onClick={() => abort.current?.abort()}>
            Cancel
          </button>
        </div>
      )}
      {stage.name === "done" && <Report report={stage.report} onMore={() => setStage({ name: "choose" })} />}
    </Dialog>
  );
}

function Choose({ error, onFile }: { error: unknown; onFile: (file: File) => void }) {
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const [file] = event.dataTransfer.files;
    if (file) onFile(file);
  };
  return (
    <>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping is a short cut; the file box inside does the same */}
      <div
        className="import-drop"
        data-over={over || undefined}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <FileUp size={26} aria-hidden="true" />
        <label className="button primary">
          Choose a file
          <input
            type="file"
            className="visually-hidden"
            accept=".json,.zip,application/json,application/zip"
            aria-label="File to import"
            onChange={(event) => event.target.files?.[0] && onFile(event.target.files[0])}
          />
        </label>
        <span className="muted">or drop it here</span>
      </div>
      {Boolean(error) && <Problem error={error} />}
      {error instanceof ApiError && error.fieldErrors.length > 0 && (
        <p className="muted">{error.fieldErrors[0]?.message}</p>
      )}
      <dl className="import-sources">
        <dt>ChatGPT</dt>
        <dd>Settings, Data controls, Export data. The zip file, or conversations.json in it.</dd>
        <dt>Open WebUI</dt>
        <dd>Settings, Chats, Export chats.</dd>
        <dt>AI Chat Studio</dt>
        <dd>A chat exported as JSON.</dd>
      </dl>
    </>
  );
}

function Report({ report, onMore }: { report: ImportReport; onMore: () => void }) {
  const { format, imported, skipped, conversations, problems } = report;
  const from = FORMATS[format] ?? format;
  return (
    <div className="import-report" data-testid="import-report">
      <p role="status">
        <strong>{imported === 1 ? "1 chat" : `${imported} chats`}</strong> came in from {from}.
        {skipped > 0 && ` ${skipped} had been imported before.`}
      </p>
      <ul className="import-list">
        {conversations.map(({ id, title }) => (
          <li key={id}>
            <Link href={`/c/${id}`} onClick={() => Overlay.close("import")}>
              {title || "Untitled"}
            </Link>
          </li>
        ))}
      </ul>
      {problems.length > 0 && (
        <section className="import-problems" aria-label="Problems">
          <h3>
            <TriangleAlert size={15} aria-hidden="true" /> Not imported: {problems.length}
          </h3>
          <ul>
            {problems.map(({ title, detail }, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: two may be called and fail the same
              <li key={index}>
                <strong>{title || "Untitled"}</strong> {detail.replace(`${title}: `, "")}
              </li>
            ))}
          </ul>
        </section>
      )}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onMore}>
          Import another file
        </button>
        <button type="button" className="button primary" onClick={() => Overlay.close("import")}>
          Done
        </button>
      </div>
    </div>
  );
}
