"""What a plugin asks of the studio during a call: storage, other plugins, models, events; only what was granted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.chat_client import parse_events
from tests.integration.sources import tool
from tests.studio import Response, Studio

Drop = Callable[..., Path]
EXECUTE = """
p = parameters or {}
match action:
    case "set": return await self.context.storage.set(p["key"], p["value"])
    case "get": return await self.context.storage.get(p["key"], "nothing")
    case "delete": return await self.context.storage.delete(p["key"])
    case "add": return await self.context.storage.add(p["key"], p["amount"])
    case "count": return await self.context.counters.add(p["name"], p.get("amount", 1), window_s=3600)
    case "list": return await self.context.storage.list(p.get("prefix", ""))
    case "call": return await self.context.call(p["plugin_id"], p["method"], **p.get("kwargs", {}))
    case "chat": return await self.context.chat(p["model"], [{"role": "user", "content": "echo hello"}])
    case "search": return await self.context.conversations.search(p["query"], limit=p.get("limit", 10))
    case "conversation": return await self.context.conversations.get(p["id"])
    case "emit": return await self.context.emit("something", {"n": 1})
"""
MANIFEST = """
[plugin]
id = "caller"
name = "Caller"
version = "1.0.0"
type = "tool"
entry = "plugin:Made"
[permissions]
host = ["storage", "plugins:calculator", "plugins:caller", "models", "events", "counters", "conversations:read"]
"""
ALL = ["host:storage", "host:plugins:calculator", "host:plugins:caller", "host:models", "host:events"]
ALL += ["host:counters", "host:conversations:read"]


@pytest.fixture
def ask(studio: Studio, plugin_folder: Drop) -> Callable[..., Response]:
    for bundled in ("calculator", "example-provider"):
        studio.http.post("/api/plugins/load", {"plugin_id": bundled})
    plugin_folder("caller", tool("caller", execute=EXECUTE), files={"plugin.toml": MANIFEST})
    loaded = studio.http.post("/api/plugins/load", {"plugin_id": "caller", "grant": ALL})
    assert loaded.status == 200, loaded.text

    def execute(action: str, **parameters: Any) -> Response:
        kwargs = {"action": action, "parameters": parameters}
        return studio.http.post("/api/plugins/execute", {"plugin_id": "caller", "method": "execute", "kwargs": kwargs})

    return execute


def test_storage_keeps_what_it_is_given(ask: Callable[..., Response]) -> None:
    assert ask("get", key="a").json()["result"] == "nothing"
    assert ask("set", key="a", value={"x": [1, None]}).status == 200
    assert ask("get", key="a").json()["result"] == {"x": [1, None]}
    ask("set", key="b/1", value=1)
    assert ask("list", prefix="b/").json()["result"] == ["b/1"]
    assert ask("delete", key="a").json()["result"] is True
    assert ask("delete", key="a").json()["result"] is False


def test_storage_has_a_quota(ask: Callable[..., Response]) -> None:
    answer = ask("set", key="big", value="x" * 2**20)
    assert answer.status >= 400 and "over its" in answer.json()["detail"]


def test_numbers_are_added_and_counted(ask: Callable[..., Response]) -> None:
    assert [ask("add", key="n", amount=amount).json()["result"] for amount in (2, 0.5)] == [2, 2.5]
    counted = [ask("count", name="n", amount=amount).json()["result"] for amount in (1, 2, 0)]
    assert [one["total"] for one in counted] == [1, 3, 3] and 0 < counted[0]["resets_in"] <= 3600
    assert "Only a number" in ask("add", key="n", amount="x").json()["detail"]


def test_a_plugin_calls_another_one(ask: Callable[..., Response]) -> None:
    kwargs = {"action": "evaluate", "parameters": {"expression": "6*7"}}
    assert ask("call", plugin_id="calculator", method="execute", kwargs=kwargs).json()["result"]["value"] == 42


def test_a_plugin_asks_a_model(ask: Callable[..., Response]) -> None:
    answer = ask("chat", model="example-provider/echo").json()["result"]
    assert "hello" in answer["choices"][0]["message"]["content"]


def test_a_plugin_reads_its_callers_conversations_and_nobody_elses(
    studio: Studio, ask: Callable[..., Response]
) -> None:
    question = {"model": "example-provider/echo", "message": "Remember the word Zwetschgenkuchen."}
    started = parse_events(studio.http.post("/api/chat", question).text)[0].data
    found = ask("search", query="zwetschgen").json()["result"]
    assert {hit["conversation_id"] for hit in found} == {started["conversation_id"]}
    hit = next(hit for hit in found if hit["role"] == "user")
    assert (hit["message_id"], hit["excerpt"]) == (started["user_message_id"], question["message"])
    data = ask("conversation", id=started["conversation_id"]).json()["result"]
    assert [each["role"] for each in data["messages"]] == ["user", "assistant"]
    for somebody_elses in ("00000000-0000-4000-8000-000000000000", "x"):
        assert "no such conversation" in ask("conversation", id=somebody_elses).json()["detail"]
    assert "limit" in ask("search", query="x", limit=0).json()["detail"]


def test_a_circle_of_calls_is_refused(ask: Callable[..., Response]) -> None:
    answer = ask("call", plugin_id="caller", method="execute", kwargs={"action": "list"})
    assert answer.status >= 400 and "caller -> caller" in answer.json()["detail"]


def test_what_was_not_granted_is_refused(ask: Callable[..., Response]) -> None:
    answer = ask("call", plugin_id="redact", method="before_request", kwargs={"request": {}})
    assert answer.status >= 400 and "host:plugins:redact is not granted" in answer.json()["detail"]


def test_an_own_event_carries_the_plugins_name(ask: Callable[..., Response]) -> None:
    assert ask("emit").status == 200
