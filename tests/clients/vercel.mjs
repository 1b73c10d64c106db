// The Vercel AI SDK with its provider for OpenAI-compatible servers. Prints what it got as one line of JSON.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import * as ai from "ai";
import { z } from "zod";

const [baseURL, apiKey] = process.argv.slice(2);
const studio = createOpenAICompatible({
  name: "studio",
  baseURL,
  apiKey,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const model = (name) => studio.chatModel(`vendor/${name}`);
const found = {};

const plain = await ai.generateText({ model: model("talk"), prompt: "hi" });
found.plain = plain.text;
found.usage = plain.usage.totalTokens;

const streamed = ai.streamText({ model: model("talk"), prompt: "hi" });
found.streamed = [];
for await (const text of streamed.textStream) found.streamed.push(text);
found.streamUsage = (await streamed.usage).totalTokens;
found.finish = await streamed.finishReason;

const weather = ai.tool({
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const stopWhen = ai.stepCountIs(3);
const ran = await ai.generateText({ model: model("tools"), prompt: "hi", tools: { weather }, stopWhen });
found.ran = ran.text;
found.call = ran.steps[0].toolCalls[0].input;
const live = ai.streamText({ model: model("tools"), prompt: "hi", tools: { weather }, stopWhen });
found.ranLive = "";
for await (const text of live.textStream) found.ranLive += text;

const place = z.object({ city: z.string(), kind: z.string() });
found.object = (await ai.generateText({ model: model("json"), prompt: "hi", output: ai.Output.object({ schema: place }) })).output;

const vectors = await ai.embedMany({ model: studio.embeddingModel("vendor/vectors"), values: ["a", "bcd"] });
found.vectors = vectors.embeddings;

const failure = async (name) => {
  try {
    await ai.generateText({ model: model(name), prompt: "hi", maxRetries: 0 });
    return null;
  } catch (error) {
    return [error.statusCode ?? null, error.message];
  }
};
found.unknown = await failure("none");
found.busy = await failure("busy");

const gone = new AbortController();
const slow = ai.streamText({ model: model("slow"), prompt: "hi", abortSignal: gone.signal });
for await (const text of slow.textStream) {
  found.slow = text;
  gone.abort();
}

console.log(JSON.stringify(found));
