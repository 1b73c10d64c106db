"""Destructive tools wait for the user: whichever process writes the answer, whoever comes back to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from aichat.chat.bodies import ApprovalBody
from aichat.chat.models import Conversation
from aichat.chat.routes import close_chat, use_studio
from aichat.chat.studio import ChatStudio
from tests.integration.chat_client import Answer, ChatClient
from tests.integration.test_chat_routes import HI, add_plugin, client_of
from tests.unit.chat_fakes import FakePlugins, call_chunk, text_chunk

ACTIONS = [
    {"name": "drop", "title": "Delete everything", "parameters": {"type": "object"}, "destructive": True},
    {"name": "look", "parameters": {"type": "object"}, "timeout_s": 0.05},
]


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """As in the chat's tests."""
    yield
    connections.close_all()


class Model:
    """Asks for the tools it is told to, then says what came of it."""

    def __init__(self) -> None:
        self.wanted = ["disk__drop"]

    def __call__(self, messages: Any, model: str, **params: Any) -> Any:
        if messages[-1]["role"] == "tool":
            return [text_chunk(message["content"] + ";") for message in messages if message["role"] == "tool"][-1:]
        return [call_chunk(index, f"c{index}", name, "{}") for index, name in enumerate(self.wanted)]


@pytest.fixture
def plugins() -> FakePlugins:
    return FakePlugins(
        echo__stream_completion=Model(),
        echo__get_available_models=lambda: [{"id": "one"}],
        disk__get_actions=lambda: ACTIONS,
        disk__execute=lambda action, parameters: f"{action} done",
    )


@pytest.fixture
async def chat(plugins: FakePlugins, redis_server: str, transactional_db: None) -> AsyncIterator[ChatStudio]:
    studio = use_studio(ChatStudio(lambda registry, user: plugins))
    await studio.threads.run(add_plugin, "echo", "provider")
    await studio.threads.run(add_plugin, "disk", "tool")
    yield studio
    await close_chat()


@pytest.fixture
async def ann(chat: ChatStudio) -> ChatClient:
    return await chat.threads.run(client_of, "ann")


def executed(plugins: FakePlugins) -> int:
    return [method for _, method, _ in plugins.calls].count("execute")


def conversation_of(answer: Answer) -> str:
    return str(answer.of("message.start")["conversation_id"])


async def decide(ann: ChatClient, answer: Answer, **decision: bool) -> Answer:
    return await ann.post(f"/api/conversations/{conversation_of(answer)}/approvals/c0", decision)


async def until_done(answer: Answer) -> None:
    async with asyncio.timeout(10):
        while not answer.done:
            answer.changed.clear()
            await answer.changed.wait()


async def test_a_destructive_tool_waits_for_the_user(ann: ChatClient, plugins: FakePlugins) -> None:
    async with ann.open("POST", "/api/chat", HI) as answer:
        await answer.until("tool.approval")
        assert executed(plugins) == 0
        asked = answer.of("tool.approval")
        assert (asked["id"], asked["plugin_id"], asked["action"]) == ("c0", "disk", "drop")
        assert (asked["title"], asked["arguments"]) == ("Delete everything", {}) and asked["expires_at"]
        allowed = await decide(ann, answer, approve=True)
        assert (allowed.status, allowed.json()) == (200, {"id": "c0", "approve": True, "remember": False})
        await until_done(answer)
    assert answer.names[1:4] == ["tool.call", "tool.approval", "tool.result"]
    assert answer.of("tool.result")["result"] == "drop done" and answer.text == "drop done;"
    assert (await decide(ann, answer, approve=True)).status == 200
    assert (await decide(ann, answer, approve=False)).json()["code"] == "approval_not_found"


async def test_a_refusal_is_told_to_the_model_which_goes_on(ann: ChatClient, plugins: FakePlugins) -> None:
    async with ann.open("POST", "/api/chat", HI) as answer:
        await answer.until("tool.approval")
        await decide(ann, answer, approve=False)
        await until_done(answer)
    assert answer.of("tool.result")["error"]["code"] == "approval_denied"
    assert "did not allow" in answer.text and executed(plugins) == 0


async def test_a_decision_can_hold_for_the_whole_conversation_and_no_other(
    ann: ChatClient, plugins: FakePlugins
) -> None:
    async with ann.open("POST", "/api/chat", HI) as first:
        await first.until("tool.approval")
        await decide(ann, first, approve=True, remember=True)
        await until_done(first)
    again = await ann.post(f"/api/conversations/{conversation_of(first)}/messages", HI)
    assert "tool.approval" not in again.names and executed(plugins) == 2
    async with ann.open("POST", "/api/chat", HI) as other:
        await other.until("tool.approval")
        await decide(ann, other, approve=False)
        await until_done(other)


async def test_a_decision_that_holds_decides_about_the_calls_that_wait_beside_it(
    ann: ChatClient, plugins: FakePlugins
) -> None:
    plugins.methods["echo__stream_completion"].wanted = ["disk__drop", "disk__drop"]  # type: ignore[attr-defined]
    async with ann.open("POST", "/api/chat", HI) as answer:
        async with asyncio.timeout(10):
            while answer.names.count("tool.approval") < 2:
                answer.changed.clear()
                await answer.changed.wait()
        await decide(ann, answer, approve=True, remember=True)
        await until_done(answer)
    assert executed(plugins) == 2 and answer.names[-1] == "message.end"


async def test_the_decision_reaches_the_process_that_waits_and_survives_the_browsers_leaving(
    chat: ChatStudio, ann: ChatClient, plugins: FakePlugins
) -> None:
    async with ann.open("POST", "/api/chat", HI) as answer:
        await answer.until("tool.approval")
    elsewhere = ChatStudio(lambda registry, user: plugins)
    conversation = await chat.threads.run(Conversation.objects.select_related("user").get)
    user = await chat.threads.run(lambda: client_user(conversation))
    try:
        await elsewhere.decide(user, conversation.pk, "c0", ApprovalBody(approve=True))
    finally:
        await elsewhere.close()
    seen = answer.events[0].id
    rest = await ann.get(f"/api/conversations/{conversation.pk}/stream", last_event_id=seen)
    assert rest.names[-1] == "message.end" and rest.of("tool.result")["result"] == "drop done"


def client_user(conversation: Conversation) -> Any:
    from aichat.chat.auth import ChatUser

    return ChatUser(conversation.user_id, conversation.user.get_username(), False)


async def test_time_runs_out(ann: ChatClient, plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aichat.chat.approvals.PATIENCE", timedelta(milliseconds=50))
    answer = await ann.post("/api/chat", HI)
    assert answer.of("tool.result")["error"]["code"] == "approval_denied"
    assert (answer.names[-1], executed(plugins)) == ("message.end", 0)
    assert (await decide(ann, answer, approve=True)).json()["code"] == "approval_not_found"


async def test_others_cannot_decide_and_a_cancelled_answer_asks_no_more(
    chat: ChatStudio, ann: ChatClient, plugins: FakePlugins
) -> None:
    bob = await chat.threads.run(client_of, "bob")
    async with ann.open("POST", "/api/chat", HI) as answer:
        await answer.until("tool.approval")
        assert (await decide(bob, answer, approve=True)).json()["code"] == "conversation_not_found"
        wrong = await ann.post(f"/api/conversations/{conversation_of(answer)}/approvals/c0", {"approve": "yes"})
        assert (wrong.status, wrong.json()["errors"][0]["pointer"]) == (422, "/approve")
        await ann.post(f"/api/conversations/{conversation_of(answer)}/cancel")
        await until_done(answer)
    assert (await decide(ann, answer, approve=True)).json()["code"] == "approval_not_found"
    assert executed(plugins) == 0


async def test_an_action_has_its_own_time_limit(ann: ChatClient, plugins: FakePlugins) -> None:
    async def hang(action: str, parameters: Any) -> None:
        await asyncio.Event().wait()

    plugins.methods["disk__execute"] = hang
    plugins.methods["echo__stream_completion"].wanted = ["disk__look"]  # type: ignore[attr-defined]
    answer = await ann.post("/api/chat", HI)
    assert answer.of("tool.result")["error"]["code"] == "deadline_exceeded"
