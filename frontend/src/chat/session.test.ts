import { expect, test, vi } from "vitest";
import { ApiError } from "@/api/http";
import type { ChatRequest, ChatStreamEvent, ConversationDetail } from "@/api/types";
import { ChatSession, type SessionServices } from "./session";
import { Sessions } from "./sessions";
import { type AssistantTurn, textOf } from "./turns";

type Script = SessionServices["chat"];

const event = <E extends ChatStreamEvent["event"]>(
  name: E,
  data: Extract<ChatStreamEvent, { event: E }>["data"],
) => ({ event: name, data, id: "m1:1" }) as ChatStreamEvent;

const START = event("message.start", {
  conversation_id: "c1",
  message_id: "m1",
  user_message_id: "u1",
  model: "p/m",
});
const USAGE = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const END = event("message.end", { message_id: "m1", finish_reason: "stop", usage: USAGE, duration_ms: 40 });

const play = (...events: ChatStreamEvent[]) =>
  async function* (..._: unknown[]) {
    yield* events;
  };

function services(script: Script, more: Partial<SessionServices> = {}): SessionServices {
  const never = () => Promise.reject(new Error("not expected"));
  return {
    chat: script,
    resume: play(),
    regenerate: never as never,
    branch: never,
    approve: never,
    cancel: never,
    read: never,
    pause: async () => undefined,
    emit: () => undefined,
    schedule: (work) => work(),
    ...more,
  };
}

const answerOf = (session: ChatSession) => session.get().turns.at(-1) as AssistantTurn;

test("an answer is streamed into its turn, and counted when it has ended", async () => {
  const hi = [event("delta", { content: "He" }), event("delta", { content: "llo" })];
  const session = new ChatSession(services(play(START, ...hi, END)));
  await session.send("Hi", "p/m");
  expect(session.get()).toMatchObject({ id: "c1", title: "Hi", status: "idle" });
  expect(session.get().turns.map(textOf)).toEqual(["Hi", "Hello"]);
  expect(answerOf(session)).toMatchObject({ id: "m1", status: "done", usage: USAGE, durationMs: 40 });
  expect(session.get().turns[0]).toMatchObject({ id: "u1" });
});

test("tools stand in the answer where they were called, with progress and result", async () => {
  const call = { id: "t1", name: "calc__add", plugin_id: "calc", action: "add", arguments: { a: 1 } };
  const script = play(
    START,
    event("reasoning", { content: "Let me count." }),
    event("tool.call", call),
    event("tool.progress", { id: "t1", fraction: 0.5, message: "half" }),
    event("tool.result", { id: "t1", name: "calc__add", result: 2 }),
    event("delta", { content: "Two." }),
    END,
  );
  const session = new ChatSession(services(script));
  await session.send("1+1", "p/m");
  expect(answerOf(session).parts).toMatchObject([
    { kind: "reasoning", text: "Let me count." },
    {
      kind: "tool",
      call: {
        id: "t1",
        name: "calc__add",
        pluginId: "calc",
        action: "add",
        arguments: { a: 1 },
        status: "done",
        progress: { fraction: 0.5, message: "half" },
        result: 2,
      },
    },
    { kind: "text", text: "Two." },
  ]);
});

test("a tool that failed says why", async () => {
  const call = event("tool.call", { id: "t1", name: "calc__add", arguments: {} });
  const failed = event("tool.result", { id: "t1", error: { detail: "no digits" } });
  const session = new ChatSession(services(play(START, call, failed, END)));
  await session.send("x", "p/m");
  expect(answerOf(session).parts[0]).toMatchObject({
    call: { status: "failed", error: { detail: "no digits" } },
  });
});

test("stop keeps what has come and ends the request", async () => {
  let aborted = false;
  const cancel = () => Promise.reject(new ApiError({ code: "x", title: "x", status: 503 }));
  const script: Script = async function* (_, signal) {
    yield START;
    yield event("delta", { content: "so far" });
    await new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        aborted = true;
        reject(new DOMException("stopped", "AbortError"));
      }),
    );
  };
  const session = new ChatSession(services(script, { cancel }));
  const sent = session.send("go", "p/m");
  await vi.waitFor(() => expect(textOf(answerOf(session))).toBe("so far"));
  session.stop();
  await sent;
  expect(aborted).toBe(true);
  expect(answerOf(session)).toMatchObject({ status: "stopped", error: null });
  expect(session.get().status).toBe("idle");
});

test("stop asks the server to end the answer, which ends the stream with its counts", async () => {
  let end: () => void = () => undefined;
  const cancelled = new Promise<void>((resolve) => {
    end = resolve;
  });
  const script: Script = async function* () {
    yield START;
    await cancelled;
    yield event("message.end", { message_id: "m1", finish_reason: "cancelled", usage: USAGE });
  };
  const cancel = vi.fn(async () => end());
  const pause = () => new Promise<void>(() => undefined);
  const session = new ChatSession(services(script, { cancel, pause }));
  const sent = session.send("go", "p/m");
  await vi.waitFor(() => expect(session.get().id).toBe("c1"));
  session.stop();
  await sent;
  expect(cancel).toHaveBeenCalledWith("c1");
  expect(answerOf(session)).toMatchObject({ status: "stopped", usage: USAGE, error: null });
});

test("a stream that breaks is taken up again after its last event", async () => {
  const resume = vi.fn(async function* () {
    yield { ...event("delta", { content: " the rest" }), id: "m1:3" };
    yield END;
  });
  const script: Script = async function* () {
    yield START;
    yield { ...event("delta", { content: "A start," }), id: "m1:2" };
    throw new TypeError("network error");
  };
  const session = new ChatSession(services(script, { resume }));
  await session.send("x", "p/m");
  expect(resume).toHaveBeenCalledWith("c1", "m1:2", expect.any(AbortSignal));
  expect(textOf(answerOf(session))).toBe("A start, the rest");
  expect(answerOf(session).status).toBe("done");
});

test("an answer under way when the page was loaded is followed from its start", async () => {
  const stored: ConversationDetail = {
    id: "c1",
    title: "Going on",
    created_at: "",
    updated_at: "",
    messages: [
      { id: "u1", role: "user", content: "Hi" },
      { id: "m1", role: "assistant", content: "", status: "streaming" },
    ],
  };
  const resume = vi.fn(play(START, event("delta", { content: "Still here." }), END));
  const session = new ChatSession(services(play(), { resume }), stored);
  await session.follow();
  expect(session.get().turns.map(textOf)).toEqual(["Hi", "Still here."]);
  expect(answerOf(session).status).toBe("done");
});

test("one that ended meanwhile is read again", async () => {
  const messages: ConversationDetail["messages"] = [
    { id: "m1", role: "assistant", content: "", status: "streaming" },
  ];
  const stored = { id: "c1", title: "t", created_at: "", updated_at: "", messages };
  const done = { ...stored, messages: [{ id: "m1", role: "assistant", content: "Done." } as const] };
  const session = new ChatSession(services(play(), { read: async () => done }), stored);
  await session.follow();
  expect(session.get().turns.map(textOf)).toEqual(["Done."]);
});

test("what a middleware made of the answer takes the place of what was streamed", async () => {
  const end = event("message.end", { message_id: "m1", content: "Call [phone]." });
  const session = new ChatSession(services(play(START, event("delta", { content: "Call 555." }), end)));
  await session.send("x", "p/m");
  expect(textOf(answerOf(session))).toBe("Call [phone].");
});

test("a refusal before the first byte is the answer's error, and retry replaces the question", async () => {
  const problem = { code: "overloaded", title: "Overloaded", detail: "Wait a little.", status: 503 };
  const asked: string[] = [];
  let refuse = true;
  const script: Script = async function* ({ message }) {
    asked.push(message);
    if (refuse) throw new ApiError(problem);
    yield* [START, event("delta", { content: "ok" }), END];
  };
  const session = new ChatSession(services(script));
  await session.send("hello", "p/m");
  expect(answerOf(session)).toMatchObject({ status: "failed", error: problem });
  refuse = false;
  await session.regenerate(answerOf(session), "p/m");
  expect(asked).toEqual(["hello", "hello"]);
  expect(session.get().turns.map(textOf)).toEqual(["hello", "ok"]);
});

test("an error event in the stream fails the answer and keeps its text", async () => {
  const crash = event("error", { code: "plugin_crashed", title: "The plugin crashed", detail: "signal 9" });
  const session = new ChatSession(services(play(START, event("delta", { content: "par" }), crash)));
  await session.send("x", "p/m");
  expect(answerOf(session)).toMatchObject({ status: "failed", error: { code: "plugin_crashed" } });
  expect(textOf(answerOf(session))).toBe("par");
});

test("an error that says when to come back keeps the moment, not the seconds", async () => {
  const limit = {
    code: "rate_limited",
    title: "Refused",
    detail: "Slow down.",
    status: 429,
    retry_after: 60,
  };
  const session = new ChatSession(services(play(START, event("error", limit))));
  await session.send("x", "p/m");
  const { error } = answerOf(session);
  const left = Date.parse(error?.retry_at ?? "") - Date.now();
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(60_000);
  expect(error).not.toHaveProperty("retry_after");
});

test("a stream that just ends was cut, and a running tool did not finish", async () => {
  const call = event("tool.call", { id: "t1", name: "calc__add", arguments: {} });
  const session = new ChatSession(services(play(START, call)));
  await session.send("x", "p/m");
  expect(answerOf(session)).toMatchObject({ status: "failed", error: { code: "stream_cut" } });
  expect(answerOf(session).parts[0]).toMatchObject({ call: { status: "failed" } });
});

test("the second message goes into the same conversation", async () => {
  const requests: ChatRequest[] = [];
  const script: Script = async function* (request) {
    requests.push(request);
    yield* [START, END];
  };
  const session = new ChatSession(services(script));
  await session.send("one", "p/m");
  await session.send("two", "p/m");
  expect(requests).toEqual([
    { model: "p/m", message: "one" },
    { model: "p/m", message: "two", conversation_id: "c1" },
  ]);
});

test("listeners are told once for all changes of a frame", async () => {
  const frames: (() => void)[] = [];
  const deltas = Array.from({ length: 50 }, () => event("delta", { content: "x" }));
  const session = new ChatSession(
    services(play(START, ...deltas, END), { schedule: (work) => frames.push(work) }),
  );
  const told = vi.fn();
  session.subscribe(told);
  await session.send("x", "p/m");
  expect(frames).toHaveLength(1);
  frames[0]?.();
  expect(told).toHaveBeenCalledOnce();
});

test("every event is passed on to UI plugins", async () => {
  const emit = vi.fn();
  const session = new ChatSession(services(play(START, event("delta", { content: "a" }), END), { emit }));
  await session.send("x", "p/m");
  expect(emit.mock.calls.map(([name]) => name)).toEqual(["message.start", "delta", "message.end"]);
});

test("stored messages become one turn per speaker", () => {
  const stored: ConversationDetail = {
    id: "c1",
    title: "Sums",
    created_at: "",
    updated_at: "",
    messages: [
      { id: "0", role: "system", content: "Be brief." },
      { id: "1", role: "user", content: "1+1?" },
      {
        id: "2",
        role: "assistant",
        content: "",
        tool_calls: [{ id: "t1", type: "function", function: { name: "calc__add", arguments: '{"a":1}' } }],
        usage: USAGE,
      },
      { id: "3", role: "tool", tool_call_id: "t1", content: "2" },
      { id: "4", role: "assistant", content: "Two.", model: "p/m", usage: USAGE },
    ],
  };
  const { turns } = new ChatSession(services(play()), stored).get();
  expect(turns.map(textOf)).toEqual(["1+1?", "Two."]);
  expect(turns[1]).toMatchObject({
    id: "4",
    status: "done",
    model: "p/m",
    usage: { total_tokens: 10 },
    parts: [{ kind: "tool", call: { arguments: { a: 1 }, status: "done", result: 2 } }, { kind: "text" }],
  });
});

test("a new conversation is found by its id once it has begun, and a fresh draft is there", async () => {
  const started = vi.fn();
  const sessions = new Sessions({ ...services(play(START, END)), onStarted: started });
  const draft = sessions.draft.get();
  await draft.send("x", "p/m");
  expect(sessions.find("c1")).toBe(draft);
  expect(sessions.draft.get()).not.toBe(draft);
  expect(started).toHaveBeenCalledWith(draft);
});
