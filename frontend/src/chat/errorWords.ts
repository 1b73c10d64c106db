import type { Problem } from "@/api/types";

/** Titles for who chats; the server's are for who writes programs, and speak of plugins. */
const TITLES: Readonly<Record<string, string>> = {
  auth_failed: "The model's provider refused the key",
  not_ready: "The model cannot answer right now",
  upstream_error: "The model's provider failed",
};

/** What went wrong with an answer, in words for who reads it: without a class's name, and nothing said twice. */
export function errorWords({ code, title, detail }: Pick<Problem, "code" | "title" | "detail">) {
  const known = TITLES[code];
  const text = known ? detail?.replace(/^[A-Z]\w*: /, "") : detail;
  return { title: known ?? title, detail: text === title ? undefined : text };
}
