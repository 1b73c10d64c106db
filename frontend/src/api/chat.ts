/** Calls to the server about conversations, one function each. */
import { type Answer, ask, type Call, get, request } from "./http";
import { serverEvents } from "./sse";
import type {
  ApprovalDecision,
  ChatRequest,
  ChatStreamEvent,
  Conversation,
  ConversationChange,
  ConversationDetail,
  ImportReport,
  Page,
} from "./types";
import { type UploadOptions, upload } from "./upload";

const BASE = "/api/conversations";
const urlOf = (id: string, part = "") => `${BASE}/${encodeURIComponent(id)}${part}`;

export interface ConversationQuery {
  readonly search?: string;
  readonly archived?: boolean;
}

export const conversationsPath = ({ search, archived = false }: ConversationQuery) => {
  // A search looks through all: what was put away is looked for most.
  const which = search ? "all" : String(archived);
  return `${BASE}?${new URLSearchParams({ page_size: "50", archived: which, ...(search && { search }) })}`;
};

export const deletedConversations = async (signal?: AbortSignal) =>
  (await get<Page<Conversation>>(`${BASE}/deleted?page_size=100`, signal)).results;

export const conversation = (id: string, signal?: AbortSignal) => get<ConversationDetail>(urlOf(id), signal);

export const changeConversation = (id: string, change: ConversationChange) =>
  ask<Conversation>(urlOf(id), { method: "PATCH", body: change });

export const deleteConversation = (id: string) => ask<unknown>(urlOf(id), { method: "DELETE" });
export const restoreConversation = (id: string) => post<Conversation>(urlOf(id, "/restore"));
export const retitleConversation = (id: string) => post<Conversation>(urlOf(id, "/title"));
export const showBranch = (id: string, message_id: string) => post(urlOf(id, "/branch"), { message_id });

/** The whole file, and what it is called. An export that fails halfway is an error, and no half file. */
export async function exportChat(id: string, format: string): Promise<{ name: string; file: Blob }> {
  const path = urlOf(id, `/export?format=${encodeURIComponent(format)}`);
  const response = await request(path, { accept: "*/*" });
  const name = fileName(response.headers.get("Content-Disposition") ?? "") ?? `chat.${format}`;
  return { name, file: await response.blob() };
}

function fileName(disposition: string): string | undefined {
  const encoded = /filename\*=utf-8''([^;]+)/i.exec(disposition)?.[1];
  return encoded ? decodeURIComponent(encoded) : /filename="([^"]+)"/.exec(disposition)?.[1];
}

export async function importConversations(file: File, options: UploadOptions): Promise<ImportReport> {
  const form = new FormData();
  form.set("file", file);
  return (await upload<ImportReport>(`${BASE}/import`, form, options)).data;
}

/** Sends a message and gives the answer's events as they come. */
export async function* chat(
  { conversation_id, settings, ...body }: ChatRequest,
  signal: AbortSignal,
): AsyncGenerator<ChatStreamEvent, void, undefined> {
  const id = conversation_id ?? (await startedWith(body.model, settings));
  yield* streamed(id ? urlOf(id, "/messages") : "/api/chat", { method: "POST", body, signal });
}

/** A conversation is made by its first message, unless there is something to tell it beforehand. */
async function startedWith(model: string, settings: ChatRequest["settings"]): Promise<string | undefined> {
  if (!settings) return undefined;
  return (await post<Conversation>(BASE, { model, ...settings })).data.id;
}

export const regenerate = (id: string, body: { message_id: string; model?: string }, signal: AbortSignal) =>
  streamed(urlOf(id, "/regenerate"), { method: "POST", body, signal });

/** The events of an answer after `lastEventId`; of the one under way, from its start, without it. */
export function resumeChat(id: string, lastEventId: string | undefined, signal: AbortSignal) {
  const headers = lastEventId ? { "Last-Event-ID": lastEventId } : {};
  return streamed(urlOf(id, "/stream"), { signal, headers });
}

export const cancelChat = (id: string) => post(urlOf(id, "/cancel"));

export const decide = (id: string, callId: string, decision: ApprovalDecision) =>
  post(urlOf(id, `/approvals/${encodeURIComponent(callId)}`), decision);

async function* streamed(path: string, call: Call): AsyncGenerator<ChatStreamEvent, void, undefined> {
  const response = await request(path, { ...call, accept: "text/event-stream" });
  if (!response.body) return;
  for await (const { event, data, id } of serverEvents(response.body)) {
    yield { event, id, data: JSON.parse(data) } as ChatStreamEvent;
  }
}

function post<T>(path: string, body: object = {}): Promise<Answer<T>> {
  return ask<T>(path, { method: "POST", body });
}
