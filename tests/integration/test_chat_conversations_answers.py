"""Conversations over the chat's own routes: branches, prompts, titles, costs and files."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client as DjangoClient

from aichat.chat.exportdata import export_data
from aichat.chat.models import Conversation, Message
from aichat.chat.studio import ChatStudio
from tests.integration.chat_client import ChatClient
from tests.integration.test_chat_routes import (
    HI,
    Gate,
    add_plugin,
    ann,
    bob,
    chat,
    closed_connections,
    plugins,
    provider,
    stored,
)
from tests.unit.chat_fakes import FakePlugins, call_chunk, end_chunk, text_chunk

__all__ = ["ann", "bob", "chat", "closed_connections", "plugins", "provider"]

USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}


@pytest.fixture
def calculator(transactional_db: None) -> None:
    add_plugin("calculator", "tool")


async def begun(ann: ChatClient, **more: Any) -> tuple[str, dict[str, Any]]:
    """A conversation with one answer: its path, and where that answer began."""
    start = (await ann.post("/api/chat", HI | more)).of("message.start")
    return f"/api/conversations/{start['conversation_id']}", start


async def rest(chat: ChatStudio, ann: ChatClient, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """What Django answers, in a thread that the chat closes."""
    django = DjangoClient(headers={"authorization": ann.headers["authorization"]})
    answer = await chat.threads.run(
        lambda: django.generic(method, path, json.dumps(body), "application/json"),
    )
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


async def shown(chat: ChatStudio, ann: ChatClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await rest(chat, ann, "GET", path))["messages"]
    return found


async def test_a_message_may_go_on_from_any_other(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    path, start = await begun(ann)
    await ann.post(f"{path}/messages", HI | {"message": "edited", "parent_id": None})
    assert [each["content"] for each in await shown(chat, ann, path)] == ["edited", "You said: edited"]
    await ann.post(f"{path}/messages", HI | {"message": "more", "parent_id": start["message_id"]})
    assert [each["content"] for each in plugins.streams[-1].messages] == ["hi", "You said: hi", "more"]
    refused = await ann.post(f"{path}/messages", HI | {"parent_id": start["conversation_id"]})
    assert (refused.status, refused.json()["code"]) == (404, "message_not_found")


async def test_another_answer_stands_beside_the_first(
    chat: ChatStudio, provider: None, calculator: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    path, start = await begun(ann, tools=[])

    def with_tool(messages: Any, model: str, **params: Any) -> list[dict[str, Any]]:
        if messages[-1]["role"] == "tool":
            return [text_chunk("It is 42"), end_chunk()]
        return [call_chunk(0, "c1", "calculator__evaluate", "{}"), end_chunk("tool_calls")]

    plugins.methods["echo__stream_completion"] = with_tool
    plugins.methods["calculator__get_actions"] = lambda: [{"name": "evaluate", "parameters": {}}]
    plugins.methods["calculator__execute"] = lambda action, parameters: 42
    again = (await ann.post(f"{path}/regenerate", {"message_id": start["message_id"]})).of("message.start")
    assert again["user_message_id"] == start["user_message_id"]
    last = (await shown(chat, ann, path))[-1]
    assert (last["content"], last["siblings"]) == ("It is 42", [start["message_id"], again["message_id"]])
    plugins.methods["echo__stream_completion"] = lambda messages, model, **params: [text_chunk("third"), end_chunk()]
    third = await ann.post(f"{path}/regenerate")
    assert [each["content"] for each in plugins.streams[-1].messages] == ["hi"]
    last = (await shown(chat, ann, path))[-1]
    assert (last["content"], len(last["siblings"]), third.status) == ("third", 3, 200)


@pytest.mark.parametrize("what", ["regenerate", "title", "export", "messages"])
async def test_nobody_does_anything_in_somebody_elses_conversation(
    chat: ChatStudio, provider: None, ann: ChatClient, bob: ChatClient, what: str
) -> None:
    path, _ = await begun(ann)
    body = HI if what == "messages" else None
    refused = await bob.request("GET" if what == "export" else "POST", f"{path}/{what}", body)
    assert (refused.status, refused.json()["code"]) == (404, "conversation_not_found")
    nobody = await ChatClient().request("GET" if what == "export" else "POST", f"{path}/{what}", body)
    assert nobody.status == 401


async def test_what_cannot_be_answered_again_is_said(chat: ChatStudio, provider: None, ann: ChatClient) -> None:
    path, start = await begun(ann)
    for body, code in (
        ({"message_id": start["conversation_id"]}, "message_not_found"),
        ({"message_id": "x"}, "invalid"),
        ({"model": "echo/none"}, "model_not_found"),
    ):
        assert (await ann.post(f"{path}/regenerate", body)).json()["code"] == code
    empty = await chat.threads.run(_empty)
    assert (await ann.post(f"/api/conversations/{empty}/regenerate")).json()["code"] == "message_not_found"
    assert (await ann.post(f"/api/conversations/{empty}/title")).json()["code"] == "invalid"


def _empty() -> str:
    return str(Conversation.objects.create(user=Conversation.objects.get().user).pk)


async def test_prompt_and_parameters_are_the_conversations_unless_given(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    path, _ = await begun(ann, system_prompt="Be brief.", params={"seed": 1, "top_p": 0.5}, temperature=1)
    kept = await rest(chat, ann, "GET", path)
    assert (kept["system_prompt"], kept["params"]) == ("Be brief.", {"seed": 1, "top_p": 0.5, "temperature": 1})
    await ann.post(f"{path}/messages", HI | {"params": {"seed": 2}, "temperature": 0, "system_prompt": "Rhyme."})
    await ann.post(f"{path}/messages", HI)
    prompts = [stream.messages[0] for stream in plugins.streams]
    assert prompts == [{"role": "system", "content": text} for text in ("Be brief.", "Rhyme.", "Be brief.")]
    assert plugins.streams[1].kwargs == {"seed": 2, "top_p": 0.5, "temperature": 0}
    assert plugins.streams[2].kwargs == kept["params"]
    refused = await ann.post(f"{path}/messages", HI | {"params": {"top_p": 2}})
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/params/top_p")


async def test_costs_and_the_first_words_time_are_kept(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins
) -> None:
    priced = {"id": "one", "pricing": {"prompt": 2, "completion": 4}}
    plugins.methods["echo__get_available_models"] = lambda: [priced]
    plugins.methods["echo__stream_completion"] = lambda messages, model, **params: [
        text_chunk("x"),
        end_chunk(usage=USAGE),
    ]
    answer = await ann.post("/api/chat", HI)
    end = answer.of("message.end")
    assert end["cost"] == pytest.approx(0.004) and 0 < end["first_token_ms"] <= end["duration_ms"]
    message = (await shown(chat, ann, f"/api/conversations/{answer.of('message.start')['conversation_id']}"))[-1]
    assert [message[name] for name in ("cost", "first_token_ms")] == [end["cost"], end["first_token_ms"]]


async def title_of(chat: ChatStudio) -> tuple[str, str]:
    """The title when nobody works at it any more, and who chose it."""
    while working := [*(run.task for run in chat._runs.values()), *chat._titles]:
        await asyncio.gather(*working)
        await asyncio.sleep(0)  # what comes after an answer is begun when its task has ended
    row = await chat.threads.run(Conversation.objects.get)
    return row.title, row.titled_by


class Titled:
    """A provider that names conversations."""

    def __init__(self, *titles: str) -> None:
        self.titles, self.asked = list(titles), list[str]()

    def __call__(self, messages: Any, model: str, **params: Any) -> list[dict[str, Any]]:
        if not messages[-1]["content"].startswith("Write a title"):
            return [text_chunk("fine"), end_chunk()]
        self.asked.append(messages[-1]["content"])
        return [text_chunk(self.titles.pop(0)), end_chunk()]


async def test_the_model_names_a_conversation_after_its_first_answer(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins, settings: LazySettings
) -> None:
    settings.STUDIO_TITLES = "model"
    await chat.threads.run(add_plugin, "watcher", "middleware")
    seen: list[dict[str, Any]] = []

    def watch(request: dict[str, Any]) -> dict[str, Any]:
        seen.append(request)
        return request

    plugins.methods["watcher__before_request"] = watch
    plugins.methods["watcher__after_response"] = lambda response: response
    model = plugins.methods["echo__stream_completion"] = Titled('"A fine greeting"')
    path, _ = await begun(ann)
    assert await title_of(chat) == ("A fine greeting", "model")
    assert [request["purpose"] for request in seen] == ["chat", "title"]
    assert "User: hi" in model.asked[0] and "Assistant: fine" in model.asked[0]
    await ann.post(f"{path}/messages", HI)
    assert (await title_of(chat))[0] == "A fine greeting" and len(model.asked) == 1


@pytest.mark.parametrize("title", ["", "word " * 30])
async def test_without_a_usable_title_the_first_words_stay(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins, settings: LazySettings, title: str
) -> None:
    settings.STUDIO_TITLES = "model"
    plugins.methods["echo__stream_completion"] = Titled(title, title)
    path, _ = await begun(ann)
    assert await title_of(chat) == ("hi", "words")
    assert (await ann.post(f"{path}/title")).json() == {"title": "hi"}


async def test_what_the_user_chose_is_replaced_only_when_he_asks(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins, settings: LazySettings
) -> None:
    settings.STUDIO_TITLES = "model"
    gate = plugins.methods["echo__stream_completion"] = Gate()
    async with ann.open("POST", "/api/chat", HI) as answer:
        await answer.until("delta")
        path = f"/api/conversations/{answer.of('message.start')['conversation_id']}"
        await rest(chat, ann, "PATCH", path, {"title": "Mine"})
        gate.opened.set()
        await answer.until("message.end")
    assert await title_of(chat) == ("Mine", "user")
    plugins.methods["echo__stream_completion"] = Titled("Theirs")
    assert (await ann.post(f"{path}/title")).json() == {"title": "Theirs"}
    assert await title_of(chat) == ("Theirs", "model")


async def test_a_title_under_way_does_not_hold_up_the_end(
    chat: ChatStudio, provider: None, ann: ChatClient, plugins: FakePlugins, settings: LazySettings
) -> None:
    settings.STUDIO_TITLES = "model"
    await begun(ann)
    plugins.methods["echo__stream_completion"] = Gate()
    await chat.close()
    assert not chat._titles


@pytest.fixture
def exporter(transactional_db: None, plugins: FakePlugins) -> FakePlugins:
    add_plugin("file-export", "export")
    plugins.methods["file_export__get_file_extension"] = lambda: ".txt"
    plugins.methods["file_export__get_media_type"] = lambda: "text/plain; charset=utf-8"
    return plugins


async def test_a_file_is_sent_while_it_is_made(
    chat: ChatStudio, provider: None, ann: ChatClient, exporter: FakePlugins
) -> None:
    gate, given = asyncio.Event(), []

    async def export(data: Any) -> Any:
        given.append(data)
        yield b"first "
        await gate.wait()
        yield {"base64": "c2Vjb25k"}

    exporter.methods["file_export__export"] = export
    path, start = await begun(ann, message="a/b: «c»")
    async with ann.open("GET", f"{path}/export?format=file-export") as answer:
        async with asyncio.timeout(10):
            while answer.body != b"first ":
                answer.changed.clear()
                await answer.changed.wait()
        gate.set()
        async with asyncio.timeout(10):
            while not answer.done:
                answer.changed.clear()
                await answer.changed.wait()
    assert (answer.status, answer.body) == (200, b"first second")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''a%20b%20%C2%ABc%C2%BB.txt"
    assert "content-length" not in answer.headers
    assert [each["id"] for each in given[0]["messages"]] == [start["user_message_id"], start["message_id"]]
    assert given[0]["branches"] == given[0]["messages"]


@pytest.mark.parametrize(
    ("made", "code"),
    [(lambda data: "text", None), (lambda data: {"no": "file"}, "export_invalid"), (None, "method_not_found")],
)
async def test_a_file_in_one_piece_or_none(
    chat: ChatStudio, provider: None, ann: ChatClient, exporter: FakePlugins, made: Any, code: str | None
) -> None:
    path, _ = await begun(ann)
    if made:
        exporter.methods["file_export__export"] = lambda data: [made(data)]
    answer = await ann.get(f"{path}/export?format=file-export")
    assert (answer.body == b"text") if code is None else answer.json()["code"] == code
    for query, wrong in (("?format=echo", "export_not_found"), ("?format=x", "export_not_found"), ("", "invalid")):
        assert (await ann.get(f"{path}/export{query}")).json()["code"] == wrong


async def test_export_data_has_every_branch(chat: ChatStudio, provider: None, ann: ChatClient) -> None:
    path, start = await begun(ann)
    await ann.post(f"{path}/regenerate")
    rows = await stored(chat)
    await chat.threads.run(lambda: Message.objects.filter(pk=rows[-1].pk).update(content="", status="error"))
    row = await chat.threads.run(Conversation.objects.get)
    data = await chat.threads.run(export_data, conversation=row)
    assert [each["id"] for each in data["messages"]] == [start["user_message_id"]]
    assert [each["id"] for each in data["branches"]] == [start["user_message_id"], start["message_id"]]
