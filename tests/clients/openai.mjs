// The official OpenAI client for JavaScript, as its documentation uses it. Prints what it got as one line of JSON.
import OpenAI from "openai";
import { z } from "zod";
import { zodResponseFormat } from "openai/helpers/zod";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const hi = [{ role: "user", content: "hi" }];
const tools = [
  {
    type: "function",
    function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
  },
];
const found = {};

found.models = (await client.models.list()).data.map((model) => model.id);
found.model = (await client.models.retrieve("vendor/talk")).id;

const plain = await client.chat.completions.create({ model: "vendor/talk", messages: hi });
found.plain = plain.choices[0].message.content;
found.usage = plain.usage.total_tokens;

const stream = await client.chat.completions.create({
  model: "vendor/talk",
  messages: hi,
  stream: true,
  stream_options: { include_usage: true },
});
found.streamed = [];
for await (const chunk of stream) {
  if (chunk.usage) found.streamUsage = chunk.usage.total_tokens;
  else found.streamed.push(chunk.choices[0].delta.content ?? "");
}

const called = await client.chat.completions.create({ model: "vendor/tools", messages: hi, tools });
found.call = called.choices[0].message.tool_calls[0].function;

const helper = client.chat.completions.stream({ model: "vendor/tools", messages: hi, tools });
found.streamedCall = (await helper.finalChatCompletion()).choices[0].message.tool_calls[0].function.arguments;

const runner = client.chat.completions.runTools({
  model: "vendor/tools",
  messages: hi,
  tools: [
    {
      type: "function",
      function: {
        name: "weather",
        parse: JSON.parse,
        function: ({ city }) => `sunny in ${city}`,
        parameters: { type: "object", properties: { city: { type: "string" } } },
      },
    },
  ],
});
found.ran = await runner.finalContent();

const parsed = await client.chat.completions.parse({
  model: "vendor/json",
  messages: hi,
  response_format: zodResponseFormat(z.object({ city: z.string(), kind: z.string() }), "place"),
});
found.parsed = parsed.choices[0].message.parsed;

const vectors = await client.embeddings.create({ model: "vendor/vectors", input: ["a", "bcd"], dimensions: 2 });
found.vectors = vectors.data.map((one) => Array.from(one.embedding));

const failure = async (run) => {
  try {
    await run();
    return null;
  } catch (error) {
    return [error.constructor.name, error.status ?? null, error.code ?? null];
  }
};
const ask = (model) => client.chat.completions.create({ model, messages: hi });
found.unknown = await failure(() => ask("vendor/none"));
found.busy = await failure(() => ask("vendor/busy"));
found.badKey = await failure(() => new OpenAI({ baseURL, apiKey: "no", maxRetries: 0 }).models.list());
found.breaks = await failure(async () => {
  for await (const _ of await client.chat.completions.create({ model: "vendor/breaks", messages: hi, stream: true }));
});

const slow = await client.chat.completions.create({ model: "vendor/slow", messages: hi, stream: true });
for await (const chunk of slow) {
  found.slow = chunk.choices[0].delta.content;
  break; // leaving the loop aborts the request
}

console.log(JSON.stringify(found));
