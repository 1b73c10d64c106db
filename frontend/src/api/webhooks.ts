/** Receivers of lifecycle events, and what became of each message. */
import { ask, get } from "./http";
import type { Delivery, Webhook, WebhookDraft } from "./shapes";
import { all } from "./studio";

export type NewWebhook = Webhook & { readonly secret: string };

export const webhooks = (signal?: AbortSignal) => all<Webhook>("/api/webhooks?page_size=200", signal);
export const webhook = (id: string, signal?: AbortSignal) => get<Webhook>(url(id), signal);
export const deliveriesPath = (id: string, status: string) =>
  `${url(id)}/deliveries?page_size=25${status && `&status=${status}`}`;

export async function addWebhook(draft: WebhookDraft): Promise<NewWebhook> {
  return (await ask<NewWebhook>("/api/webhooks", { method: "POST", body: draft })).data;
}

export async function changeWebhook(id: string, draft: WebhookDraft): Promise<Webhook> {
  return (await ask<Webhook>(url(id), { method: "PATCH", body: draft })).data;
}

export const deleteWebhook = (id: string) => ask<unknown>(url(id), { method: "DELETE" });

export async function rotateSecret(id: string): Promise<string> {
  const path = `${url(id)}/rotate-secret`;
  return (await ask<{ secret: string }>(path, { method: "POST", body: {} })).data.secret;
}

export async function testWebhook(id: string): Promise<Delivery> {
  return (await ask<Delivery>(`${url(id)}/test`, { method: "POST", body: {} })).data;
}

/** With the body that was sent, which lists leave out. */
export const delivery = (id: string, message: string, signal?: AbortSignal) =>
  get<Delivery>(deliveryUrl(id, message), signal);

export async function redeliver(id: string, message: string): Promise<Delivery> {
  const path = `${deliveryUrl(id, message)}/redeliver`;
  return (await ask<Delivery>(path, { method: "POST", body: {} })).data;
}

const deliveryUrl = (id: string, message: string) => `${url(id)}/deliveries/${encodeURIComponent(message)}`;
const url = (id: string) => `/api/webhooks/${encodeURIComponent(id)}`;
