"""Chats with the real system: two web processes, real plugin processes, Redis and the database."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.chat_client import Event, parse_events
from tests.studio import Client, Studio, wait_for

ECHO, STORY = "example-provider/echo", "example-provider/story"
MINE = ("example-provider", "calculator", "redact", "markdown-export")


class Chat:
    """One answer, read event by event."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self.events: list[Event] = []

    def read(self) -> Event | None:
        """The next event; None at the end."""
        lines: list[str] = []
        while line := self.response.readline().decode():
            if line.strip():
                lines.append(line)
            elif found := parse_events("".join(lines)):
                self.events += found
                return found[0]
            else:
                lines = []
        return None

    def until(self, name: str) -> Event:
        while event := self.read():
            if event.name == name:
                return event
        raise AssertionError(f"no {name} in {self.names}")

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    @property
    def text(self) -> str:
        return "".join(event.data["content"] for event in self.events if event.name == "delta")

    def of(self, name: str) -> dict[str, Any]:
        return next(event.data for event in self.events if event.name == name)


@contextmanager
def opened(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Iterator[Chat]:
    """An answer that is still streaming; leaving the block closes the connection."""
    connection = http.client.HTTPConnection(client.url.removeprefix("http://"), timeout=30)
    sent = {**client.headers, **headers, **({"Content-Type": "application/json"} if body else {})}
    try:
        connection.request(method, path, json.dumps(body) if body else None, sent)
        response = connection.getresponse()
        assert response.status == 200, response.read().decode()
        with response:
            yield Chat(response)
    finally:
        connection.close()


def ask(client: Client, message: str, model: str = ECHO, **more: Any) -> Chat:
    """A whole answer."""
    with opened(client, "POST", "/api/chat", {"model": model, "message": message, **more}) as chat:
        while chat.read():
            pass
    return chat


def load(studio: Studio, plugin_id: str, **config: Any) -> dict[str, Any]:
    answer = studio.http.post("/api/plugins/load", {"plugin_id": plugin_id, **({"config": config} if config else {})})
    assert answer.status == 200, answer.text
    loaded: dict[str, Any] = answer.json()
    return loaded


@pytest.fixture(autouse=True)
def quiet(studio: Studio) -> Iterator[None]:
    """Only the plugins that a test loads take part; afterwards everything is as it was."""
    found = studio.http.get("/api/plugins?page_size=200").json()["results"]
    loaded = [each["id"] for each in found if each["type"] != "ui"]
    for plugin_id in loaded:
        studio.http.post(f"/api/plugins/{plugin_id}/unload", {"cascade": True})
    yield
    for plugin_id in MINE:
        studio.http.post(f"/api/plugins/{plugin_id}/unload")
        studio.http.put(f"/api/plugins/{plugin_id}/config", {"config": {}})
    for plugin_id in loaded:
        load(studio, plugin_id)


@pytest.fixture
def provider(studio: Studio, quiet: None) -> Studio:
    load(studio, "example-provider", delay_ms=0)
    return studio


@pytest.fixture
def slow(studio: Studio, quiet: None) -> Studio:
    """The provider takes 15 ms for each word."""
    load(studio, "example-provider", delay_ms=15)
    return studio


def test_a_user_chats_and_finds_the_conversation_again(provider: Studio) -> None:
    user = provider.as_user
    models = {model["id"] for model in user.get("/api/models").json()["data"]}
    assert {ECHO, STORY} <= models
    first = ask(user, "Hello there, studio")
    assert first.names[0] == "message.start" and first.names[-1] == "message.end"
    assert "Hello there, studio" in first.text
    assert first.of("message.end")["usage"]["total_tokens"] > 0
    conversation = first.of("message.start")["conversation_id"]
    ask(user, "And again", conversation_id=conversation)
    stored = user.get(f"/api/conversations/{conversation}").json()
    assert stored["title"] == "Hello there, studio"
    assert [message["role"] for message in stored["messages"]] == ["user", "assistant"] * 2
    assert stored["messages"][1]["content"] == first.text
    assert stored["messages"][1]["generation"] == first.of("message.start")["generation"]
    listed = user.get("/api/conversations?search=HELLO").json()
    assert conversation in [each["id"] for each in listed["results"]]
    renamed = user.patch(f"/api/conversations/{conversation}/", {"title": "Greetings"})
    assert (renamed.status, renamed.json()["title"]) == (200, "Greetings")
    assert user.delete(f"/api/conversations/{conversation}").status == 204
    gone = user.get(f"/api/conversations/{conversation}")
    assert (gone.status, gone.json()["code"]) == (404, "conversation_not_found")


def test_the_model_uses_a_tool_of_another_plugin(provider: Studio) -> None:
    load(provider, "calculator")
    chat = ask(provider.as_user, "calculate 2*21")
    assert chat.of("tool.call")["plugin_id"] == "calculator"
    assert chat.of("tool.call")["arguments"] == {"expression": "2*21"}
    assert "error" not in chat.of("tool.result")
    assert "42" in chat.text
    stored = provider.as_user.get(f"/api/conversations/{chat.of('message.start')['conversation_id']}").json()
    assert [message["role"] for message in stored["messages"]] == ["user", "assistant", "tool", "assistant"]
    without = ask(provider.as_user, "use calculator.evaluate", tools=[])
    assert "tool.call" not in without.names


def test_a_tools_error_is_told_to_the_model(provider: Studio) -> None:
    load(provider, "calculator")
    chat = ask(provider.as_user, 'use calculator.evaluate {"expression": "1/0"}')
    assert chat.of("tool.result")["error"]["code"]
    assert chat.names[-1] == "message.end"


def test_a_middleware_loaded_just_now_keeps_addresses_from_the_model(provider: Studio) -> None:
    said = "Write to ann@example.com please"
    assert "ann@example.com" in ask(provider.as_user, said).text
    load(provider, "redact", style="typed")
    for _ in range(10):  # both web processes, and at once
        assert "ann@example.com" not in ask(provider.as_user, said).text


def test_a_middleware_looks_at_the_answers_chunks(provider: Studio) -> None:
    load(provider, "redact", style="typed", apply_to_response=True)
    chat = ask(provider.as_user, "Write to ann@example.com please", model=STORY)
    assert "ann@example.com" not in chat.text
    stored = provider.as_user.get(f"/api/conversations/{chat.of('message.start')['conversation_id']}").json()
    assert stored["messages"][-1]["content"] == chat.of("message.end").get("content", chat.text)
    assert stored["messages"][0]["content"] == "Write to ann@example.com please"


def test_a_swap_in_the_middle_of_an_answer_is_not_seen(slow: Studio) -> None:
    with opened(slow.as_user, "POST", "/api/chat", {"model": STORY, "message": "the sea"}) as chat:
        chat.until("delta")
        reloaded = slow.http.post("/api/plugins/example-provider/reload")
        assert reloaded.status == 200, reloaded.text
        after = ask(slow.as_user, "hi")
        end = chat.until("message.end")
    assert chat.text == ask(slow.as_user, "the sea", model=STORY).text
    assert end.data["generation"] == reloaded.json()["old"]["generation"]
    assert after.of("message.end")["generation"] == reloaded.json()["new"]["generation"]


def test_a_provider_killed_in_the_middle_ends_the_answer_with_a_clear_error(slow: Studio) -> None:
    pid = slow.http.get("/api/plugins/example-provider").json()["nodes"][0]["pid"]
    with opened(slow.as_user, "POST", "/api/chat", {"model": STORY, "message": "the sea"}) as chat:
        chat.until("delta")
        os.kill(pid, signal.SIGKILL)
        error = chat.until("error").data
        assert chat.read() is None
    assert (error["code"], error["status"], error["plugin_id"]) == ("plugin_crashed", 502, "example-provider")
    conversation = chat.of("message.start")["conversation_id"]
    stored = slow.as_user.get(f"/api/conversations/{conversation}").json()["messages"][-1]
    assert (stored["status"], stored["error"]["code"], stored["content"]) == ("error", "plugin_crashed", chat.text)
    assert ask(slow.as_user, "still there?", conversation_id=conversation).names[-1] == "message.end"


def test_an_answer_outlives_its_reader_and_is_resumed_from_any_process(slow: Studio) -> None:
    user = slow.as_user
    with opened(user, "POST", "/api/chat", {"model": STORY, "message": "the sea"}) as first:
        last = first.until("delta")
    start = first.of("message.start")
    path = f"/api/conversations/{start['conversation_id']}/stream"
    texts = []
    for _ in range(4):  # new connections: the web processes take turns
        with opened(user, "GET", path, **{"Last-Event-ID": last.id}) as again:
            again.until("message.end")
        texts.append(first.text + again.text)
        numbers = [int(event.id.rpartition(":")[2]) for event in again.events]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert numbers[0] == int(last.id.rpartition(":")[2]) + 1
    stored = user.get(f"/api/conversations/{start['conversation_id']}").json()["messages"][-1]
    assert set(texts) == {stored["content"]}
    assert stored["status"] == "complete"


def test_stop_reaches_the_provider_whichever_process_is_asked(slow: Studio) -> None:
    for _ in range(4):
        with opened(slow.as_user, "POST", "/api/chat", {"model": STORY, "message": "the sea"}) as chat:
            chat.until("delta")
            conversation = chat.of("message.start")["conversation_id"]
            assert slow.as_user.post(f"/api/conversations/{conversation}/cancel").status == 202
            assert chat.until("message.end").data["finish_reason"] == "cancelled"
        stored = slow.as_user.get(f"/api/conversations/{conversation}").json()["messages"][-1]
        assert (stored["status"], stored["content"]) == ("cancelled", chat.text)


def test_a_conversation_is_exported_as_a_file(provider: Studio) -> None:
    chat = ask(provider.as_user, "Grüße: naïve ☕ / plan")
    path = f"/api/conversations/{chat.of('message.start')['conversation_id']}/export"
    early = provider.as_user.get(f"{path}?format=markdown-export")
    assert (early.status, early.json()["code"]) == (409, "not_loaded")
    load(provider, "markdown-export")
    file = provider.as_user.get(f"{path}?format=markdown-export")
    assert file.status == 200 and file.headers["content-type"].startswith("text/markdown")
    assert file.headers["content-disposition"].startswith("attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe")
    assert "naïve ☕" in file.text
    for wanted, status, code in (("nothing", 404, "export_not_found"), ("", 422, "invalid")):
        refused = provider.as_user.get(f"{path}/?format={wanted}")
        assert (refused.status, refused.json()["code"]) == (status, code)


def test_nobody_sees_the_conversations_of_others(provider: Studio) -> None:
    conversation = ask(provider.as_user, "my secret").of("message.start")["conversation_id"]
    assert conversation not in provider.http.get("/api/conversations").text
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/stream"),
        ("POST", "/cancel"),
        ("GET", "/export?format=x"),
    ):
        answer = provider.http.request(method, f"/api/conversations/{conversation}{path}")
        assert (answer.status, answer.json()["code"]) == (404, "conversation_not_found"), (method, path)
    taken = provider.http.patch(f"/api/conversations/{conversation}", {"title": "mine"})
    assert taken.status == 404
    assert provider.anonymous.get("/api/conversations").status == 401
    assert provider.anonymous.post("/api/chat", {"model": ECHO, "message": "hi"}).status == 401


def test_an_unloaded_provider_is_said_to_be_unloaded_at_once(provider: Studio) -> None:
    ask(provider.as_user, "hi")
    provider.http.post("/api/plugins/example-provider/unload")
    for _ in range(6):
        refused = provider.as_user.post("/api/chat", {"model": ECHO, "message": "hi"})
        assert (refused.status, refused.json()["code"]) == (409, "not_loaded")
    load(provider, "example-provider")
    for _ in range(6):
        assert ask(provider.as_user, "hi").names[-1] == "message.end"


BROKEN = """
from backend.plugins.base_plugin import PluginMetadata, PluginType, ProviderPlugin


class Broken(ProviderPlugin):
    @property
    def metadata(self):
        return PluginMetadata("broken-provider", "Broken", "1.0.0", "A", "Breaks", PluginType.PROVIDER)

    async def chat_completion(self, messages, model, **kwargs):
        if model == "raises":
            raise ValueError("no such luck")
        return {"choices": [{"message": {"role": "assistant", "content": f"I am {model}"}}]}
"""


def test_a_provider_as_the_specification_writes_one_answers_and_fails_in_words(
    studio: Studio, plugin_folder: Callable[..., Path]
) -> None:
    plugin_folder("broken_provider", BROKEN)
    wait_for(lambda: studio.http.post("/api/plugins/load", {"plugin_id": "broken-provider"}).status == 200, 10)
    whole = ask(studio.as_user, "hi", model="broken-provider/any")
    assert (whole.text, whole.of("message.end")["finish_reason"]) == ("I am any", "stop")
    failed = ask(studio.as_user, "hi", model="broken-provider/raises")
    assert failed.names == ["message.start", "error"]
    assert failed.of("error")["code"] == "plugin_raised"
    assert "no such luck" in failed.of("error")["detail"]


CURIOUS = """
from plugins_app.sdk import ToolPlugin


class Curious(ToolPlugin):
    async def execute(self, action, parameters):
        answer = await self.context.chat("example-provider/echo", [{"role": "user", "content": parameters["about"]}])
        return answer["choices"][0]["message"]["content"]

    def get_actions(self):
        return [{"name": "wonder", "description": "Asks a model", "parameters": {"type": "object"}}]
"""
CURIOUS_MANIFEST = """
[plugin]
id = "curious"
name = "Curious"
version = "1.0.0"
author = "A"
description = "Asks"
type = "tool"

[permissions]
host = ["models"]
"""


def test_a_plugin_asks_a_model_in_a_chat_and_in_an_execution(
    provider: Studio, plugin_folder: Callable[..., Path]
) -> None:
    plugin_folder("curious", CURIOUS, files={"plugin.toml": CURIOUS_MANIFEST})
    provider.http.post("/api/plugins/discover")
    granted = provider.http.post("/api/plugins/load", {"plugin_id": "curious", "grant": ["host:models"]})
    assert granted.status == 200, granted.text
    load(provider, "redact", style="typed")
    about = {"about": "who is ann@example.com"}
    body = {"plugin_id": "curious", "method": "execute", "kwargs": {"action": "wonder", "parameters": about}}
    executed = provider.http.post("/api/plugins/execute", body)
    assert executed.status == 200, executed.text
    chat = ask(provider.as_user, 'use curious.wonder {"about": "who is ann@example.com"}')
    for answer in (executed.json()["result"], chat.of("tool.result")["result"]):
        assert "who is" in answer
        assert "ann@example.com" not in answer
