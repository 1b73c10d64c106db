/** Shapes of the management API that its OpenAPI document leaves open, or that the page needs more exactly. */

export interface EnvironmentProgress {
  readonly status: "pending" | "installing" | "ready" | "failed" | "cancelled";
  readonly fraction: number | null;
  readonly message: string;
  readonly error: string;
  readonly size_bytes: number | null;
}

/** A change that was asked for and does not serve yet. */
export interface ChangeUnderWay {
  readonly generation: number;
  readonly cause: string;
  readonly by: string | null;
  readonly at: string;
  readonly state: "installing" | "starting";
}

/** A new generation on trial: one that fails before `until` is rolled back by itself. */
export interface Soak {
  readonly generation: number;
  readonly until: string;
}

export interface Dependency {
  readonly id: string;
  readonly range: string;
  readonly optional: boolean;
  readonly satisfied: boolean;
  /** The version that is loaded, or would be chosen. */
  readonly version: string | null;
}

/** A plugin that asks for another one, or that another one goes along with. */
export interface Demand {
  readonly id: string;
  readonly range: string;
  readonly version: string | null;
}

export interface VersionRef {
  readonly version: string | null;
  readonly digest: string;
}

export interface PlannedChange {
  readonly id: string;
  readonly action: "load" | "swap" | "unload" | "keep";
  readonly from: VersionRef | null;
  readonly to: VersionRef | null;
  readonly because: readonly Demand[];
}

/** Which plugin asked for which version, what there was, and what was taken. */
export interface Reason {
  readonly id: string;
  readonly range: string;
  readonly by: string | null;
  readonly by_version: string | null;
  readonly chosen: string | null;
  readonly candidates: readonly string[];
  readonly optional: boolean;
  readonly rejected?: readonly { readonly version: string; readonly code: string; readonly reason: string }[];
}

export interface PlanProblem {
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly hint?: string;
  readonly path?: readonly string[];
}

export interface Plan {
  readonly action: "load" | "reload" | "unload";
  readonly possible: boolean;
  readonly problem: PlanProblem | null;
  readonly changes: readonly PlannedChange[];
  readonly explanation: readonly Reason[];
}

export interface InstalledPackage {
  readonly digest: string;
  readonly version: string;
  /** The digest of the version that was the newest before. */
  readonly replaced: string | null;
}

export interface KnownVersion {
  readonly digest: string;
  readonly version: string;
  readonly source: string;
  readonly size_bytes: number | null;
  readonly found_at: string;
  readonly serving: boolean;
  readonly newest: boolean;
  readonly in_store: boolean;
}

export interface Release {
  readonly generation: number;
  readonly digest: string;
  readonly version: string;
  readonly cause: string;
  readonly by: string | null;
  readonly at: string;
  readonly committed_at: string | null;
  readonly failure: { readonly code: string; readonly detail: string } | null;
  readonly serving: boolean;
}

export interface History {
  readonly versions: readonly KnownVersion[];
  readonly releases: readonly Release[];
}

export interface RemovedPlugin {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly removed_at: string;
  readonly forgotten_at: string;
}

export interface Revision {
  readonly number: number;
  readonly at: string;
  readonly by: string | null;
  readonly cause: string;
  readonly generation: number | null;
  readonly config_version: number;
  /** Its release failed, and the revision before it came back. */
  readonly undone: boolean;
  readonly current: boolean;
  readonly changed: readonly string[];
}

export interface RevisionChange {
  readonly pointer: string;
  readonly kind: "added" | "removed" | "changed";
  readonly from?: unknown;
  readonly to?: unknown;
}

export interface Comparison {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly RevisionChange[];
}

export interface StudioNode {
  readonly node: string;
  readonly state: "ready" | "away";
  readonly pid: number;
  readonly started_at: string;
  readonly heartbeat_at: string;
  readonly sandbox: Readonly<Record<string, unknown>>;
  readonly plugins: Readonly<Record<string, number>>;
  /** The one that answered. */
  readonly this: boolean;
  readonly expires_at: string | null;
}

export interface Health {
  readonly status: "ok" | "down";
  readonly components: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
}

export interface Webhook {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly plugins: readonly string[];
  readonly enabled: boolean;
  readonly failures: number;
  readonly disabled_reason: string;
  readonly disabled_at: string | null;
  readonly last_success_at: string | null;
  readonly created_at: string;
}

export type WebhookDraft = Partial<Pick<Webhook, "name" | "url" | "events" | "plugins" | "enabled">>;

export interface Attempt {
  readonly at: string;
  readonly status: number | null;
  readonly duration_ms: number;
  readonly error: string;
  readonly answer: string;
}

export interface Delivery {
  readonly id: string;
  readonly type: string;
  readonly status: "waiting" | "delivered" | "failed";
  readonly attempts: readonly Attempt[];
  readonly next_attempt_at: string | null;
  readonly created_at: string;
  readonly finished_at: string | null;
  /** As it was sent; only with a single delivery. */
  readonly body?: string;
}
