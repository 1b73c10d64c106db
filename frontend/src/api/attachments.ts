/** Files that are sent along with messages. */
import type { ChatAttachment } from "@/plugins/types";
import { ask } from "./http";
import { type UploadOptions, upload } from "./upload";

export const attachmentUrl = (id: string) => `/api/attachments/${encodeURIComponent(id)}`;

export async function uploadAttachment(file: File, options: UploadOptions): Promise<ChatAttachment> {
  const form = new FormData();
  form.set("file", file);
  return (await upload<ChatAttachment>("/api/attachments", form, options)).data;
}

export const deleteAttachment = (id: string) => ask<unknown>(attachmentUrl(id), { method: "DELETE" });
