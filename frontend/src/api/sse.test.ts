import { expect, test, vi } from "vitest";
import { type ServerEvent, serverEvents } from "./sse";

function bodyOf(chunks: readonly (string | Uint8Array)[], cancel: () => void = () => undefined) {
  const encoder = new TextEncoder();
  const waiting = [...chunks];
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = waiting.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(typeof next === "string" ? encoder.encode(next) : next);
    },
    cancel,
  });
}

async function read(...chunks: (string | Uint8Array)[]): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of serverEvents(bodyOf(chunks))) events.push(event);
  return events;
}

test("an event with a name, an id and data", async () => {
  expect(await read('id: m1:1\nevent: delta\ndata: {"content":"hi"}\n\n')).toEqual([
    { id: "m1:1", event: "delta", data: '{"content":"hi"}' },
  ]);
});

test("an event without a name is a message", async () => {
  expect(await read("data: x\n\n")).toEqual([{ event: "message", data: "x", id: undefined }]);
});

test("chunks may end anywhere: inside a line, between CR and LF, inside a character", async () => {
  const bytes = new TextEncoder().encode(
    "event: delta\r\ndata: grün 🌱\r\n\r\nevent: end\r\ndata: 1\r\n\r\n",
  );
  const single = [...bytes].map((byte) => Uint8Array.of(byte));
  const events = await read(...single);
  expect(events.map(({ event, data }) => [event, data])).toEqual([
    ["delta", "grün 🌱"],
    ["end", "1"],
  ]);
});

test("several data lines are one text with line breaks", async () => {
  expect((await read("data: one\ndata: two\ndata:\n\n"))[0]?.data).toBe("one\ntwo\n");
});

test("comments and pings are nothing, and unknown fields are passed over", async () => {
  expect(await read(": ping\n\n", "colour: red\ndata: x\n\n", ": ping\n\n")).toHaveLength(1);
});

test("an event that was not finished when the stream ended is not given", async () => {
  expect(await read("data: whole\n\n", "data: half")).toHaveLength(1);
});

test("leaving the loop cancels the request", async () => {
  const cancel = vi.fn();
  for await (const _ of serverEvents(bodyOf(["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"], cancel))) break;
  expect(cancel).toHaveBeenCalledOnce();
});
