import { FileText } from "lucide-react";
import { attachmentUrl } from "@/api/attachments";
import type { ChatAttachment } from "@/plugins/types";
import { bytes } from "@/ui/format";

/** What was sent along: pictures as pictures, everything else by name. A click opens the file. */
export function AttachmentList({ attachments }: { attachments: readonly ChatAttachment[] }) {
  return (
    <ul className="attachments" aria-label="Attachments">
      {attachments.map((file) => (
        <li key={file.id}>
          <a
            href={attachmentUrl(file.id)}
            target="_blank"
            rel="noopener"
            title={`${file.name} (${bytes(file.size)})`}
          >
            {file.kind === "image" ? (
              <img src={attachmentUrl(file.id)} alt={file.name} loading="lazy" />
            ) : (
              <span className="file-card">
                <FileText size={20} aria-hidden="true" />
                <span>
                  {file.name}
                  <small>{factsOf(file)}</small>
                </span>
              </span>
            )}
          </a>
        </li>
      ))}
    </ul>
  );
}

function factsOf({ name, kind, size, pages }: ChatAttachment & { readonly pages?: number }): string {
  const what = (/\.(\w{1,8})$/.exec(name)?.[1] ?? kind).toUpperCase();
  return [what, pages && `${pages} ${pages === 1 ? "page" : "pages"}`, bytes(size)]
    .filter(Boolean)
    .join(" · ");
}
