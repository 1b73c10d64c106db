"""The chat's HTTP routes against a real database and Redis; only the plugins are in memory.

The same against real plugin processes is in tests/acceptance/test_chat.py.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client as DjangoClient

from aichat.chat.errors import ChatError
from aichat.chat.models import Conversation, Message
from aichat.chat.routes import chat_app, close_chat, use_studio
from aichat.chat.services_conversations import conversation_delete
from aichat.chat.studio import ChatStudio
from plugins_app.models import Plugin, PluginInstance, PluginRelease, PluginVersion
from plugins_app.services.access import api_key_create
from tests.integration.chat_client import Answer, ChatClient
from tests.unit.chat_fakes import FakePlugins, call_chunk, end_chunk, text_chunk

HI: dict[str, Any] = {"model": "echo/one", "message": "hi"}


def add_plugin(
    plugin_id: str, kind: str, *, state: str = "active", wanted: bool = True, attempted: int = 1, **metadata: Any
) -> None:
    """A plugin as the host leaves it in the database."""
    plugin = Plugin.objects.create(id=plugin_id, generation=1)
    about = {"id": plugin_id, "name": plugin_id, "plugin_type": kind, **metadata}
    version = PluginVersion.objects.create(plugin=plugin, digest="d" * 64, metadata=about)
    release = PluginRelease.objects.create(plugin=plugin, generation=1, version=version, cause="load")
    Plugin.objects.filter(pk=plugin_id).update(version=version, desired=release if wanted else None)
    serves = {"generation": 1, "digest": version.digest} if state == "active" else {}
    PluginInstance.objects.create(plugin=plugin, node="local", state=state, attempted=attempted, **serves)


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """Close this thread's connection after the test: SQLite closes no descriptor of a file while another has locks."""
    yield
    connections.close_all()


class Gate:
    """A provider that says one word, then waits to be let go on."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.cancelled = False

    async def __call__(self, messages: Any, model: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        yield text_chunk("one ")
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        yield text_chunk("two")
        yield end_chunk(usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3})


@pytest.fixture
def provider(transactional_db: None) -> None:
    add_plugin("echo", "provider")


@pytest.fixture
def ann(transactional_db: None) -> ChatClient:
    return client_of("ann")


@pytest.fixture
def bob(transactional_db: None) -> ChatClient:
    return client_of("bob")


def client_of(name: str) -> ChatClient:
    _, key = api_key_create(name=name, role="user")
    return ChatClient(authorization=f"Bearer {key}")


@pytest.fixture
def plugins() -> FakePlugins:
    def echo(messages: Any, model: str, **params: Any) -> list[dict[str, Any]]:
        return [text_chunk("You said: "), text_chunk(messages[-1]["content"]), end_chunk()]

    return FakePlugins(echo__stream_completion=echo, echo__get_available_models=lambda: [{"id": "one", "name": "One"}])


@pytest.fixture
async def chat(plugins: FakePlugins, redis_server: str, transactional_db: None) -> AsyncIterator[ChatStudio]:
    yield use_studio(ChatStudio(lambda registry, user: plugins))
    await close_chat()


async def stored(chat: ChatStudio) -> list[Message]:
    return await chat.threads.run(lambda: list(Message.objects.order_by("conversation__created_at", "position")))


async def test_a_chat_streams_an_answer_and_stores_it(chat: ChatStudio, provider: None, ann: ChatClient) -> None:
    answer = await ann.post("/api/chat", HI)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.names == ["message.start", "delta", "delta", "message.end"]
    assert answer.text == "You said: hi"
    start, end = answer.of("message.start"), answer.of("message.end")
    assert [event.id for event in answer.events] == [f"{start['message_id']}:{number}" for number in (1, 2, 3, 4)]
    assert (start["model"], start["generation"], end["finish_reason"]) == ("echo/one", 1, "stop")
    assert "content" not in end and end["duration_ms"] > 0
    asked, answered = await stored(chat)
    assert (asked.role, asked.content, str(asked.pk)) == ("user", "hi", start["user_message_id"])
    assert (answered.content, answered.status, answered.model) == ("You said: hi", "complete", "echo/one")
    assert (str(answered.pk), answered.generation) == (start["message_id"], 7)


async def test_what_no_database_takes_does_not_keep_an_answer_from_being_stored(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    usage = {"prompt_tokens": 1, "cost": float("nan")}
    chunks = [text_chunk("a\x00b"), {"choices": [{"delta": {}, "finish_reason": "r" * 50}], "usage": usage}]
    plugins.methods["echo__stream_completion"] = lambda *args, **kwargs: chunks
    answer = await ann.post("/api/chat", {"model": "echo/one", "message": "c\x00d"})
    assert answer.names[-1] == "message.end"
    asked, answered = await stored(chat)
    assert (asked.content, answered.content, answered.status) == ("cd", "ab", "complete")
    assert (answered.finish_reason, answered.cost) == ("r" * 32, None)


async def test_a_conversation_goes_on_with_all_that_was_said(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    first = await ann.post("/api/chat/", {**HI, "temperature": 0.3, "max_tokens": 5})
    conversation = first.of("message.start")["conversation_id"]
    await ann.post(f"/api/conversations/{conversation}/messages/", {"model": "echo/one", "message": "again"})
    await ann.post("/api/chat", {**HI, "conversation_id": conversation})
    assert plugins.streams[0].kwargs == {"temperature": 0.3, "max_tokens": 5}
    assert [message["content"] for message in plugins.streams[2].messages] == [
        "hi",
        "You said: hi",
        "again",
        "You said: again",
        "hi",
    ]
    assert await chat.threads.run(Conversation.objects.count) == 1


async def test_given_messages_are_stored_as_they_are(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]
    plugins.methods["echo__stream_completion"] = lambda messages, model: [text_chunk("ok")]
    await ann.post("/api/chat", {"model": "echo/one", "messages": messages})
    assert plugins.streams[0].messages == messages
    rows = await stored(chat)
    assert [(row.role, row.content, row.parts) for row in rows[:2]] == [
        ("system", "Be brief.", None),
        ("user", "look", parts),
    ]


async def test_tools_are_offered_run_and_stored_with_the_answer(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    await chat.threads.run(add_plugin, "my-calc", "tool")
    rounds = [[call_chunk(0, "c1", "my-calc__add", '{"a": 1}')], [text_chunk("It is 1.")]]
    plugins.methods |= {
        "echo__stream_completion": lambda messages, model, **params: rounds.pop(0),
        "my_calc__get_actions": lambda: [{"name": "add", "description": "Adds", "parameters": {"type": "object"}}],
        "my_calc__execute": lambda action, parameters: {"sum": b"1"},
    }
    answer = await ann.post("/api/chat", HI)
    assert answer.names == ["message.start", "tool.call", "tool.result", "delta", "message.end"]
    assert answer.of("tool.result")["result"] == {"sum": {"base64": "MQ=="}}
    assert plugins.streams[0].kwargs["tools"][0]["function"]["name"] == "my-calc__add"
    rows = await stored(chat)
    assert [(row.role, row.position, row.status) for row in rows] == [
        ("user", 0, "complete"),
        ("assistant", 1, "complete"),
        ("tool", 2, "complete"),
        ("assistant", 3, "complete"),
    ]
    assert rows[1].tool_calls and rows[1].tool_calls[0]["function"]["name"] == "my-calc__add"
    assert (rows[2].tool_call_id, rows[3].content, str(rows[3].pk)) == (
        "c1",
        "It is 1.",
        answer.of("message.start")["message_id"],
    )


@pytest.mark.parametrize(("tools", "offered"), [([], False), (["my-calc"], True), ("auto", True)])
async def test_a_request_chooses_its_tools(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins, tools: Any, offered: bool
) -> None:
    await chat.threads.run(add_plugin, "my-calc", "tool")
    plugins.methods["my_calc__get_actions"] = lambda: [{"name": "add"}]
    await ann.post("/api/chat", {**HI, "tools": tools})
    assert ("tools" in plugins.streams[0].kwargs) is offered


async def test_an_answer_changed_by_a_middleware_is_told_at_the_end_and_stored(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    def polite(response: dict[str, Any]) -> dict[str, Any]:
        response["choices"][0]["message"]["content"] += ", please"
        return response

    await chat.threads.run(add_plugin, "polite", "middleware", middleware={"priority": 5, "on_error": "skip"})
    plugins.methods |= {"polite__before_request": lambda request: request, "polite__after_response": polite}
    answer = await ann.post("/api/chat", HI)
    assert answer.of("message.end")["content"] == "You said: hi, please"
    assert (await stored(chat))[-1].content == "You said: hi, please"


async def test_a_middleware_that_crashed_is_not_left_out(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    await chat.threads.run(add_plugin, "redact", "middleware", state="error")
    answer = await ann.post("/api/chat", HI)
    assert answer.names == ["message.start", "error"]
    assert answer.of("error")["plugin_id"] == "redact"
    assert not plugins.streams


async def test_a_refusal_says_when_to_come_back_to_whoever_hears_it_at_once(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    def refuse(request: dict[str, Any]) -> Any:
        raise ChatError("rate_limited", "Slow down.", status=429, retry_after=7, plugin_id="strict", refusal=True)

    await chat.threads.run(add_plugin, "strict", "middleware")
    plugins.methods["strict__before_request"] = refuse
    error = (await ann.post("/api/chat", HI)).of("error")
    assert (error["code"], error["retry_after"]) == ("rate_limited", 7)
    assert (await stored(chat))[-1].error == {name: error[name] for name in error if name != "retry_after"}


async def test_a_failure_of_the_provider_is_an_event_and_a_stored_error(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    plugins.methods["echo__stream_completion"] = lambda messages, model: [text_chunk("Well"), "garbage"]
    answer = await ann.post("/api/chat", HI)
    assert answer.names == ["message.start", "delta", "error"]
    assert {key: answer.of("error")[key] for key in ("code", "status")} == {"code": "provider_invalid", "status": 502}
    row = (await stored(chat))[-1]
    assert (row.status, row.content, row.error) == ("error", "Well", answer.of("error"))
    plugins.methods["echo__stream_completion"] = lambda messages, model: [text_chunk("Better")]
    conversation = answer.of("message.start")["conversation_id"]
    await ann.post("/api/chat", {**HI, "conversation_id": conversation})
    assert [message["role"] for message in plugins.streams[1].messages] == ["user", "user"]


async def test_the_answer_goes_on_when_the_browser_leaves_and_is_resumed(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    gate = Gate()
    plugins.methods["echo__stream_completion"] = gate
    async with ann.open("POST", "/api/chat", HI) as first:
        await first.until("delta")
    start = first.of("message.start")
    path = f"/api/conversations/{start['conversation_id']}/stream"
    async with ann.open("GET", path, last_event_id=f"{start['message_id']}:1") as again:
        await again.until("delta")
        gate.opened.set()
        await again.until("message.end")
    assert again.text == "one two"
    assert [event.id.rpartition(":")[2] for event in again.events] == ["2", "3", "4"]
    assert not gate.cancelled
    assert (await stored(chat))[-1].content == "one two"
    assert (await ann.get(path)).status == 204
    from_start = await ann.get(path, last_event_id=f"{start['message_id']}:0")
    assert from_start.names == ["message.start", "delta", "delta", "message.end"]
    for nothing_left in (4, 99, -1):
        assert (await ann.get(path, last_event_id=f"{start['message_id']}:{nothing_left}")).status == 204


async def test_another_process_resumes_and_cancels_through_redis(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    gate = Gate()
    plugins.methods["echo__stream_completion"] = gate
    async with ann.open("POST", "/api/chat", HI) as here:
        await here.until("delta")
        conversation = here.of("message.start")["conversation_id"]
        other = use_studio(ChatStudio(lambda registry, user: plugins))
        async with ann.open("GET", f"/api/conversations/{conversation}/stream") as there:
            await there.until("delta")
            cancelled = await ann.post(f"/api/conversations/{conversation}/cancel")
            assert cancelled.json()["message_id"] == here.of("message.start")["message_id"]
            await there.until("message.end")
        await here.until("message.end")
    assert [event.id for event in there.events] == [event.id for event in here.events]
    assert there.of("message.end")["finish_reason"] == "cancelled"
    at_the_end = here.events[-1].id
    assert (await ann.get(f"/api/conversations/{conversation}/stream", last_event_id=at_the_end)).status == 204
    assert gate.cancelled
    await other.close()
    use_studio(chat)


async def test_a_resumed_answer_whose_events_are_gone_ends_with_what_is_stored(
    chat: ChatStudio, provider: None, ann: ChatClient
) -> None:
    first = await ann.post("/api/chat", HI)
    start = first.of("message.start")
    async with asyncio.timeout(10):
        while start["message_id"] in chat._runs:  # the last events may be on their way to Redis
            await asyncio.sleep(0)
    other = use_studio(ChatStudio())
    await other._relay._redis.delete(f"studio:chat:{start['message_id']}")
    path = f"/api/conversations/{start['conversation_id']}/stream"
    late = await ann.get(path, last_event_id=f"{start['message_id']}:2")
    assert [(event.name, event.data["content"]) for event in late.events] == [("message.end", "You said: hi")]
    await other.close()
    use_studio(chat)


async def test_cancelling_ends_the_provider_and_keeps_what_was_said(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    gate = Gate()
    plugins.methods["echo__stream_completion"] = gate
    async with ann.open("POST", "/api/chat", HI) as answer:
        await answer.until("delta")
        path = f"/api/conversations/{answer.of('message.start')['conversation_id']}"
        busy = await ann.post(f"{path}/messages", HI)
        assert (busy.status, busy.json()["code"]) == (409, "answer_running")
        assert (await ann.post(f"{path}/cancel")).status == 202
        await answer.until("message.end")
    assert gate.cancelled
    row = (await stored(chat))[-1]
    assert (row.status, row.content, row.finish_reason) == ("cancelled", "one ", "cancelled")
    assert (await ann.post(f"{path}/cancel")).json()["code"] == "answer_not_running"


async def test_a_server_that_stops_stores_what_was_said(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    plugins.methods["echo__stream_completion"] = Gate()
    async with ann.open("POST", "/api/chat", HI) as answer:
        await answer.until("delta")
        await close_chat()
        await answer.until("error")
    assert answer.of("error")["code"] == "interrupted"
    row = await asyncio.to_thread(lambda: Message.objects.get(role="assistant"))
    assert (row.status, row.content) == ("error", "one ")


async def test_an_answer_whose_process_died_does_not_block_its_conversation(
    chat: ChatStudio, provider: None, ann: ChatClient
) -> None:
    first = await ann.post("/api/chat", HI)
    start = first.of("message.start")
    await chat.threads.run(lambda: Message.objects.filter(role="assistant").update(status="streaming"))
    again = await ann.post("/api/chat", {**HI, "conversation_id": start["conversation_id"]})
    assert again.names[-1] == "message.end"


@pytest.mark.parametrize("path", ["messages", "stream", "cancel"])
async def test_nobody_reaches_the_conversation_of_someone_else(
    chat: ChatStudio, provider: None, ann: ChatClient, bob: ChatClient, path: str
) -> None:
    first = await ann.post("/api/chat", HI)
    conversation = first.of("message.start")["conversation_id"]
    for wanted in (conversation, str(uuid.uuid4())):
        method = "GET" if path == "stream" else "POST"
        body = HI if path == "messages" else None
        answer = await bob.request(method, f"/api/conversations/{wanted}/{path}", body)
        assert (answer.status, answer.json()["code"]) == (404, "conversation_not_found")
    answer = await bob.post("/api/chat", {**HI, "conversation_id": conversation})
    assert answer.status == 404
    assert len(await stored(chat)) == 2


async def test_models_are_listed_with_their_plugin(chat: ChatStudio, provider: None, ann: ChatClient) -> None:
    await chat.threads.run(add_plugin, "mute", "provider")
    answer = await ann.get("/api/models/")
    assert answer.json()["data"] == [
        {
            "id": "echo/one",
            "name": "One",
            "description": "",
            "context_window": None,
            "max_tokens": None,
            "created": 0,
            "kind": "chat",
            "capabilities": [],
            "pricing": None,
            "plugin_id": "echo",
        }
    ]


REFUSED: list[tuple[Any, int, str, str | None]] = [
    (b"{not json", 400, "json_malformed", None),
    ({"message": "hi"}, 422, "invalid", "/model"),
    ({"model": 5, "message": "hi"}, 422, "invalid", "/model"),
    ({"model": "echo/one"}, 422, "invalid", "/message"),
    ({**HI, "messages": [{"role": "user", "content": "x"}]}, 422, "invalid", "/message"),
    ({**HI, "message": "  "}, 422, "invalid", "/message"),
    ({**HI, "temprature": 1}, 422, "invalid", "/temprature"),
    ({**HI, "temperature": 3}, 422, "invalid", "/temperature"),
    ({**HI, "tools": ["nobody"]}, 422, "invalid", "/tools/0"),
    ({**HI, "conversation_id": "x"}, 422, "invalid", "/conversation_id"),
    ({"model": "echo/one", "messages": [{"role": "alien", "content": "x"}]}, 422, "invalid", "/messages/0/role"),
    ({"model": "echo/one", "messages": [{"role": "user"}]}, 422, "invalid", "/messages/0/content"),
    ({"model": "echo/one", "messages": [{"role": "user", "content": []}]}, 422, "invalid", "/messages/0/content"),
    (
        {"model": "echo/one", "messages": [{"role": "user", "content": [{"type": "text"}]}]},
        *(422, "invalid", "/messages/0/content/0/text"),
    ),
    (
        {"model": "echo/one", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        *(422, "invalid", "/messages/0/content/0/image_url"),
    ),
    ({**HI, "seed": 2**63}, 422, "invalid", "/seed"),
    ({**HI, "params": {"max_tokens": 2**40}}, 422, "invalid", "/params/max_tokens"),
    ({**HI, "tool_choice": {"function": {}}}, 422, "invalid", "/tool_choice/function/name"),
    ({**HI, "model": "echo/two"}, 404, "model_not_found", None),
    ({**HI, "model": "nobody/x"}, 404, "model_not_found", None),
    ({**HI, "model": "noslash"}, 404, "model_not_found", None),
    ({**HI, "model": "tool/x"}, 404, "model_not_found", None),
    ({**HI, "model": "off/x"}, 409, "not_loaded", None),
    ({**HI, "model": "dead/x"}, 503, "breaker_open", None),
    ({**HI, "model": "young/x"}, 503, "plugin_restarting", None),
    (b'{"model": "' + b"x" * (1 << 20), 413, "body_too_large", None),
]


@pytest.fixture
def others(provider: None) -> None:
    add_plugin("off", "provider", state="inactive", wanted=False)
    add_plugin("dead", "provider", state="error")
    add_plugin("young", "provider", state="loading", attempted=0)
    add_plugin("tool", "tool")


@pytest.mark.parametrize(("body", "status", "code", "pointer"), REFUSED)
async def test_what_cannot_be_answered_is_refused_before_the_first_byte(
    chat: ChatStudio, others: None, ann: ChatClient, body: Any, status: int, code: str, pointer: str | None
) -> None:
    answer = await ann.post("/api/chat", body)
    problem = answer.json()
    assert (answer.status, problem["code"]) == (status, code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status and problem["type"] == f"/docs/errors#{code}" and problem["detail"]
    assert [error["pointer"] for error in problem.get("errors", ())] == ([pointer] if pointer else [])
    assert ("retry-after" in answer.headers) is (status == 503)
    assert await chat.threads.run(Conversation.objects.count) == 0


async def test_other_methods_and_media_types_are_refused(chat: ChatStudio, ann: ChatClient) -> None:
    wrong = await ann.get("/api/chat")
    assert (wrong.status, wrong.headers["allow"], wrong.json()["code"]) == (405, "POST", "method_not_allowed")
    form = await ann.post("/api/chat", b"a=b", content_type="application/x-www-form-urlencoded")
    assert (form.status, form.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Bearer acs_00000000_x"])
async def test_strangers_are_sent_away(chat: ChatStudio, provider: None, header: str) -> None:
    answer = await ChatClient(authorization=header).post("/api/chat", HI)
    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.fixture
def session(transactional_db: None) -> Iterator[ChatClient]:
    browser = DjangoClient()
    browser.force_login(get_user_model().objects.create_user("eve"))
    cookie = f"sessionid={browser.cookies['sessionid'].value}; csrftoken={'t' * 32}"
    yield ChatClient(cookie=cookie)


CSRF: list[tuple[dict[str, str], int]] = [
    ({"x_csrftoken": "t" * 32}, 200),
    ({"x_csrftoken": "t" * 32, "origin": "http://localhost"}, 200),
    ({"x_csrftoken": "t" * 32, "origin": "http://evil.example"}, 403),
    ({"x_csrftoken": "u" * 32}, 403),
    ({}, 403),
]


@pytest.mark.parametrize(("headers", "status"), CSRF)
async def test_a_session_chats_with_its_csrf_token_from_its_own_origin(
    chat: ChatStudio, provider: None, session: ChatClient, headers: dict[str, str], status: int
) -> None:
    answer = await session.post("/api/chat", HI, **headers)
    assert answer.status == status
    if status == 403:
        assert answer.json()["code"] == "csrf_failed"


async def test_a_session_reads_without_a_token_and_not_at_another_host(
    chat: ChatStudio, provider: None, session: ChatClient
) -> None:
    assert (await session.get("/api/models")).status == 200
    assert (await session.get("/api/models", host="evil.example")).status == 400
    stale: Answer = await ChatClient(cookie="sessionid=nonsense").get("/api/models")
    assert stale.status == 401


async def test_two_questions_at_once_never_share_a_place(chat: ChatStudio, provider: None, ann: ChatClient) -> None:
    first = await ann.post("/api/chat", HI)
    conversation = first.of("message.start")["conversation_id"]
    answers = await asyncio.gather(*(ann.post("/api/chat", {**HI, "conversation_id": conversation}) for _ in range(5)))
    assert {answer.status for answer in answers} <= {200, 409}
    positions = [row.position for row in await stored(chat)]
    assert positions == list(range(len(positions)))


async def test_a_deleted_conversation_keeps_the_answer_that_was_under_way(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    gate = Gate()
    plugins.methods["echo__stream_completion"] = gate
    async with ann.open("POST", "/api/chat", HI) as answer:
        await answer.until("delta")
        conversation = await chat.threads.run(Conversation.objects.get)
        await chat.threads.run(conversation_delete, conversation=conversation)
        gate.opened.set()
        await answer.until("message.end")
    assert [row.status for row in await stored(chat)] == ["complete", "complete"]


async def test_a_purged_conversation_takes_its_running_answer_along(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    gate = Gate()
    plugins.methods["echo__stream_completion"] = gate
    async with ann.open("POST", "/api/chat", HI) as answer:
        await answer.until("delta")
        conversation = await chat.threads.run(Conversation.objects.get)
        await chat.threads.run(conversation.delete)
        gate.opened.set()
        await answer.until("message.end")
    assert await stored(chat) == []


async def test_a_path_that_is_none_is_not_found() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    await chat_app({"type": "http", "path": "/api/other", "method": "GET", "headers": []}, receive, send)
    assert sent[0]["status"] == 404
