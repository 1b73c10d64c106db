/** What is asked anew, beside what was asked; tools that ask first; titles that come later. */
import { expect, test, vi } from "vitest";
import type { ChatRequest, ChatStreamEvent, ConversationDetail, StoredMessage } from "@/api/types";
import { ChatSession, type SessionServices } from "./session";
import type { AssistantTurn, UserTurn } from "./turns";

const user = (id: string, content: string, siblings = [id]): StoredMessage => ({
  id,
  parent_id: null,
  siblings,
  role: "user",
  content,
});
const answer = (id: string, parent_id: string, content: string, siblings = [id]): StoredMessage => ({
  id,
  parent_id,
  siblings,
  role: "assistant",
  content,
  model: "p/m",
  status: "complete",
});

function stored(messages: readonly StoredMessage[], title = "A title"): ConversationDetail {
  return { id: "c1", title, created_at: "", updated_at: "", messages };
}

const FIRST = stored([user("u1", "One?"), answer("a1", "u1", "1")]);

const event = <E extends ChatStreamEvent["event"]>(
  name: E,
  data: Extract<ChatStreamEvent, { event: E }>["data"],
) => ({ event: name, data, id: "m:1" }) as ChatStreamEvent;
const started = (message_id: string, user_message_id: string | null = null) =>
  event("message.start", { conversation_id: "c1", message_id, user_message_id, model: "p/m" });
const ended = (message_id: string) => event("message.end", { message_id, finish_reason: "stop" });

function services(
  script: readonly ChatStreamEvent[],
  after: ConversationDetail,
  more: Partial<SessionServices> = {},
) {
  const play = vi.fn(async function* (..._: unknown[]) {
    yield* script;
  });
  const calls = {
    chat: play,
    regenerate: play,
    resume: play,
    cancel: vi.fn(async () => undefined),
    read: vi.fn(async () => after),
    branch: vi.fn(async () => undefined),
    approve: vi.fn(async () => undefined),
    pause: async () => undefined,
    emit: () => undefined,
    schedule: (work: () => void) => work(),
    ...more,
  };
  const checked: SessionServices = calls;
  return Object.assign(checked, { asked: play });
}

const lastOf = (session: ChatSession) => session.get().turns.at(-1) as AssistantTurn;

test("an edited question is asked in the place of the old one, and stands beside it", async () => {
  const after = stored([user("u2", "Two?", ["u1", "u2"]), answer("a2", "u2", "2")]);
  const calls = services([started("a2", "u2"), event("delta", { content: "2" }), ended("a2")], after);
  const session = new ChatSession(calls, FIRST);
  const asking = session.edit(session.get().turns[0] as UserTurn, "Two?", "p/m");
  expect(session.get().turns).toHaveLength(2);
  expect(session.get().turns[0]).toMatchObject({ text: "Two?", siblings: ["u1", "local-1"] });
  await asking;
  const request = calls.asked.mock.calls[0]?.[0] as unknown as ChatRequest;
  expect(request).toEqual({ model: "p/m", message: "Two?", conversation_id: "c1", parent_id: null });
  await vi.waitFor(() => expect(session.get().turns[0]).toMatchObject({ id: "u2", siblings: ["u1", "u2"] }));
});

test("another answer takes the place of the one it stands beside", async () => {
  const after = stored([user("u1", "One?"), answer("a2", "u1", "uno", ["a1", "a2"])]);
  const calls = services([started("a2"), event("delta", { content: "uno" }), ended("a2")], after);
  const session = new ChatSession(calls, FIRST);
  await session.regenerate(lastOf(session), "p/other");
  expect(calls.regenerate).toHaveBeenCalledWith(
    "c1",
    { message_id: "a1", model: "p/other" },
    expect.any(AbortSignal),
  );
  expect(lastOf(session)).toMatchObject({ id: "a2", placeId: "a2", siblings: ["a1", "a2"], status: "done" });
  expect(session.get().turns).toHaveLength(2);
});

test("another branch is shown by any message on it", async () => {
  const other = stored([user("u1", "One?"), answer("a0", "u1", "eins", ["a0", "a1"])]);
  const calls = services([], other);
  const session = new ChatSession(calls, FIRST);
  await session.show("a0");
  expect(calls.branch).toHaveBeenCalledWith("c1", "a0");
  expect(lastOf(session)).toMatchObject({ id: "a0", siblings: ["a0", "a1"] });
});

test("a tool that asks first waits in the answer, and runs when it may", async () => {
  const call = {
    id: "t1",
    name: "files__delete",
    plugin_id: "files",
    action: "delete",
    arguments: { path: "/x" },
  };
  let goOn: () => void = () => undefined;
  const decided = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const script = async function* () {
    yield started("a2", "u2");
    yield event("tool.call", call);
    yield event("tool.approval", { ...call, expires_at: "2030-01-01T00:00:00Z" });
    await decided;
    yield event("tool.result", { id: "t1", result: "gone" });
    yield ended("a2");
  };
  const calls = services([], FIRST, { chat: script, read: vi.fn(() => Promise.reject(new Error("away"))) });
  const session = new ChatSession(calls, FIRST);
  const asking = session.send("Delete it", "p/m");
  await vi.waitFor(() =>
    expect(lastOf(session).parts).toMatchObject([
      { call: { id: "t1", status: "approval", expiresAt: "2030-01-01T00:00:00Z" } },
    ]),
  );
  await session.approve("t1", { approve: true });
  expect(calls.approve).toHaveBeenCalledWith("c1", "t1", { approve: true });
  goOn();
  await asking;
  expect(lastOf(session).parts).toMatchObject([{ call: { status: "done", result: "gone" } }]);
});

test("the title that was made meanwhile is taken over", async () => {
  const titled = vi.fn();
  const read = vi
    .fn<() => Promise<ConversationDetail>>()
    .mockResolvedValueOnce(stored(FIRST.messages, "One?"))
    .mockResolvedValue(stored(FIRST.messages, "Counting in languages"));
  const calls = services([started("a1", "u1"), ended("a1")], FIRST, { read, onTitled: titled });
  const session = new ChatSession(calls);
  await session.send("One?", "p/m");
  await vi.waitFor(() => expect(session.get().title).toBe("Counting in languages"));
  await vi.waitFor(() => expect(titled).toHaveBeenCalled());
  expect(read.mock.calls.length).toBeLessThan(4);
});

test("what a tool took is still known after the conversation was read again", async () => {
  const call = { id: "t1", name: "calc__add", arguments: {} };
  const withTool = stored([
    user("u1", "One?"),
    {
      ...answer("a1", "u1", ""),
      tool_calls: [{ id: "t1", function: { name: "calc__add", arguments: "{}" } }],
    },
    { id: "r1", role: "tool", content: "2", tool_call_id: "t1" },
    answer("a2", "r1", "2"),
  ]);
  const script = [
    started("a2", "u1"),
    event("tool.call", call),
    event("tool.result", { id: "t1", result: 2 }),
    ended("a2"),
  ];
  const session = new ChatSession(services(script, withTool));
  await session.send("One?", "p/m");
  await vi.waitFor(() => expect(lastOf(session).placeId).toBe("a1"));
  expect(lastOf(session).parts[0]).toMatchObject({ call: { durationMs: expect.any(Number) } });
});

test("instructions set before the first message go with it, attachments with theirs", async () => {
  const calls = services([started("a1", "u1"), ended("a1")], FIRST);
  const session = new ChatSession(calls);
  const settings = { system_prompt: "Be brief.", params: { temperature: 0 } };
  session.take({ settings });
  const file = { id: "f1", name: "a.txt", media_type: "text/plain", size: 3, kind: "text" } as const;
  await session.send("", "p/m", [file]);
  expect(calls.asked.mock.calls[0]?.[0]).toEqual({
    model: "p/m",
    message: "",
    settings,
    attachments: ["f1"],
  });
});
