/** How long a conversation waits for what, and what it makes of a connection that failed. */
import { ApiError } from "@/api/http";
import type { Problem } from "@/api/types";
import type { AssistantTurn } from "./turns";

export const RESUME_WAITS_MS = [250, 1_000, 2_000, 4_000, 8_000];
export const STOP_GRACE_MS = 3_000;
/** A title is made while the first answer is already being read. */
export const TITLE_WAITS_MS = [1_500, 3_000, 6_000, 12_000];

/** The server is away for a moment; any other refusal is final. */
export function mayPass(error: ApiError): boolean {
  return error.status === 0 || error.status >= 500;
}

export const CUT = {
  status: "failed",
  error: {
    code: "stream_cut",
    title: "The answer broke off",
    detail: "The connection to the studio ended before the answer did.",
    status: 0,
  },
} as const;

export function failure(error: unknown): Partial<AssistantTurn> {
  if (error instanceof ApiError) return { status: "failed", error: error.problem };
  const problem: Problem = { ...CUT.error, ...(error instanceof SyntaxError && { detail: error.message }) };
  return { status: "failed", error: problem };
}
