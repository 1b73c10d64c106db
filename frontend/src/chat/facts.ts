/** What an answer took, in words. */
import { money, seconds, whole } from "@/ui/format";
import type { AssistantTurn } from "./turns";

/** The line under an answer. */
export function metaOf({ model, usage, cost, durationMs, finishReason }: AssistantTurn): string {
  const facts = [
    model?.split("/").slice(1).join("/") || model,
    usage && `${whole(usage.total_tokens)} tokens`,
    cost !== null && money(cost),
    durationMs !== null && seconds(durationMs),
    finishReason === "length" && "cut off at the length limit",
  ];
  return facts.filter(Boolean).join(" · ");
}

/** All of it, for whoever points at that line. */
export function factsOf({ model, usage, cost, durationMs, firstTokenMs, createdAt }: AssistantTurn): string {
  const facts = [
    model && `Model: ${model}`,
    usage && `Tokens: ${whole(usage.prompt_tokens)} read, ${whole(usage.completion_tokens)} written`,
    cost !== null && `Cost: ${money(cost)}`,
    firstTokenMs !== null && `First word after ${seconds(firstTokenMs)}`,
    durationMs !== null && `Took ${seconds(durationMs)}`,
    usage && durationMs && rate(usage.completion_tokens, durationMs - (firstTokenMs ?? 0)),
    createdAt && new Date(createdAt).toLocaleString(),
  ];
  return facts.filter(Boolean).join("\n");
}

function rate(tokens: number, ms: number): string | false {
  return ms > 100 && tokens > 1 && `Speed: ${whole(Math.round((tokens * 1000) / ms))} tokens/s`;
}
