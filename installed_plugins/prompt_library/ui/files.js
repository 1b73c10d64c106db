/** Prompts as files: our own, and what Open WebUI exports. */

const NAME = "prompts.json";

export function download(prompts) {
  const plain = prompts.map(({ title, text }) => ({ title, text }));
  const blob = new Blob([JSON.stringify({ prompts: plain }, null, 2)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = NAME;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** The prompts in a file's text. Throws with words for people. */
export function parse(text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    throw new Error("This file is no JSON.");
  }
  const list = Array.isArray(data) ? data : data?.prompts;
  if (!Array.isArray(list)) throw new Error("There is no list of prompts in this file.");
  const prompts = list.map((one) => ({ title: one?.title ?? one?.name ?? one?.command, text: one?.text ?? one?.content }));
  const usable = prompts.filter(({ title, text }) => typeof title === "string" && typeof text === "string");
  if (usable.length === 0) throw new Error("No entry of this file has a title and a text.");
  return usable;
}
