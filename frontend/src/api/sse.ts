import { createParser } from "eventsource-parser";

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
}

/**
 * The events of a `text/event-stream` body, for streams that answer a POST (EventSource can only GET).
 * Leaving the loop cancels the request.
 */
export async function* serverEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerEvent, void, undefined> {
  const waiting: ServerEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, data, id }) => waiting.push({ event: event ?? "message", data, id }),
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* waiting.splice(0);
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it may have been aborted, which is an end as well
  }
}
