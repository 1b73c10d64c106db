import type { FieldError, Problem } from "./types";

/** The server (or the way to it) said no. The message is meant for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly problem: Problem;

  constructor(problem: Problem) {
    super([problem.detail || problem.title, problem.hint].filter(Boolean).join(" "));
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }

  get fieldErrors(): readonly FieldError[] {
    return this.problem.errors ?? [];
  }
}

export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly accept?: string;
  readonly keepalive?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer<T> {
  readonly data: T;
  readonly status: number;
  readonly location: string | null;
}

const UNREACHABLE: Problem = {
  code: "unreachable",
  title: "The studio does not answer",
  detail: "Check that this device is online and that the studio is running, then try again.",
  status: 0,
};

let onSignedOut: () => void = () => undefined;

/** For the page: what to do when the server says that nobody is signed in (any more). */
export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

export async function request(path: string, call: Call = {}): Promise<Response> {
  const response = await fetch(path, init(call)).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(UNREACHABLE);
  });
  if (response.ok) return response;
  const text = await response.text().catch(() => "");
  throw refusal(response.status, response.statusText, text);
}

/** The error for an answer that is none; somebody who is signed out is shown the door. */
export function refusal(status: number, statusText: string, text: string): ApiError {
  if (status === 401) onSignedOut();
  return new ApiError(status === 0 ? UNREACHABLE : problemOf(status, statusText, text));
}

export async function ask<T>(path: string, call: Call = {}): Promise<Answer<T>> {
  const response = await request(path, call);
  const text = await response.text();
  const data = (text ? JSON.parse(text) : undefined) as T;
  return { data, status: response.status, location: response.headers.get("Location") };
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask<T>(path, signal ? { signal } : {})).data;
}

function init({
  method = "GET",
  body,
  signal,
  accept = "application/json",
  keepalive,
  headers: more,
}: Call): RequestInit {
  const headers: Record<string, string> = { ...more, Accept: accept };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRFToken"] = cookie("csrftoken");
  return {
    method,
    headers,
    credentials: "same-origin",
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
    ...(keepalive && { keepalive }),
  };
}

export function cookie(name: string): string {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

function problemOf(status: number, statusText: string, text: string): Problem {
  const code = `http_${status}`;
  try {
    const body = JSON.parse(text) as Partial<Problem>;
    return { code, title: `The studio answered ${status}`, ...body, status };
  } catch {
    const detail = `The studio answered ${status} and gave no reason.`;
    return { code, title: statusText || detail, detail, status };
  }
}

/** The server may stand behind a proxy and think it has another name: only path and query count. */
export function relative(url: string): string {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}
