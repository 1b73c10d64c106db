/** Names for the shapes of the management API, as its OpenAPI document has them (`npm run client`). */
import type { components } from "./schema";

type Schemas = components["schemas"];

// what goes on with a plugin
export type EnvironmentProgress = Schemas["Environment"];
/** A change that was asked for and does not serve yet. */
export type ChangeUnderWay = Schemas["Change"];
export type Soak = Schemas["Trial"];

// plugins that need each other
export type Dependency = Schemas["Dependency"];
/** A plugin that asks for another one, or that another one goes along with. */
export type Demand = Schemas["Asker"];
export type PlannedChange = Schemas["Effect"];
/** Which plugin asked for which version, what there was, and what was taken. */
export type Reason = Schemas["Reason"];
export type PlanProblem = Schemas["Refusal"];
export type Plan = Schemas["Plan"];

// packages, versions, releases
/** `replaced`: the digest of the version that was the newest before. */
export type InstalledPackage = Schemas["Installed"];
export type KnownVersion = Schemas["Version"];
export type Release = Schemas["Release"];
export type History = Schemas["Versions"];
export type RemovedPlugin = Schemas["Removed"];

// configurations of the past
/** `undone`: its release failed, and the revision before it came back. */
export type Revision = Schemas["Revision"];
export type RevisionChange = Schemas["Difference"];
export type Comparison = Schemas["Comparison"];

// nodes and health
/** `this`: the one that answered. */
export type StudioNode = Omit<Schemas["NodeStatus"], "sandbox"> & {
  readonly sandbox: Readonly<Record<string, unknown>>;
};
export type Health = Pick<Schemas["Health"], "status" | "components">;

// webhooks
export type Webhook = Schemas["Webhook"];
export type WebhookDraft = Schemas["PatchedWebhookRequest"];
export type Attempt = Schemas["Attempt"];
/** Only a single one comes with the `body` that was sent. */
export type Delivery = Schemas["Delivery"] & { readonly body?: string };
