"""Earlier conversations are found and read, by their user only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugins_app.sdk import PermissionDenied, PluginError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
ADA = {"id": 1, "username": "ada", "is_operator": False}
TALK: dict[str, Any] = {
    "id": "c1",
    "title": "The dentist",
    "created_at": "2026-03-01T10:00:00Z",
    "updated_at": "2026-03-01T10:05:00Z",
    "messages": [
        {"id": "m1", "role": "user", "content": "When is my dentist appointment?"},
        {"id": "m2", "role": "assistant", "content": "", "tool_calls": [{"id": "t1"}]},
        {"id": "m3", "role": "tool", "tool_call_id": "t1", "content": "Tuesday"},
        {"id": "m4", "role": "assistant", "content": "On Tuesday at nine."},
        {
            "id": "m5",
            "role": "user",
            "content": [
                {"type": "text", "text": "Thank you. See:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
                {"type": "file", "file": {"filename": "card.pdf", "file_data": "data:application/pdf;base64,"}},
            ],
        },
    ],
}


def searcher(user: dict[str, Any] | None = ADA, **config: Any) -> PluginHarness:
    return PluginHarness(FOLDER, config, user=user, conversations=[TALK] if user else [])


async def call(plugin: PluginHarness, action: str, **parameters: Any) -> dict[str, Any]:
    result: dict[str, Any] = await plugin.call("execute", action=action, parameters=parameters)
    return result


async def test_what_was_said_is_found() -> None:
    async with searcher() as plugin:
        found = await call(plugin, "search", query=" dentist   appointment ")
        assert found["query"] == "dentist appointment"
        assert [(one["conversation_id"], one["message_id"]) for one in found["results"]] == [("c1", "m1")]
        assert (await call(plugin, "search", query="elephant"))["results"] == []
        await call(plugin, "search", query="dentist", limit=3)
    assert [asked.payload["limit"] for asked in plugin.host_calls] == [10, 10, 3]


async def test_a_conversation_is_read_as_text() -> None:
    async with searcher() as plugin:
        found = await call(plugin, "read", conversation_id="c1")
    assert (found["title"], found["updated_at"]) == ("The dentist", "2026-03-01T10:05:00Z")
    assert found["text"] == (
        "User: When is my dentist appointment?\n\n"
        "Assistant: On Tuesday at nine.\n\n"
        "User: Thank you. See:\n[image]\n[file: card.pdf]"
    )
    async with searcher(with_tools=True) as plugin:
        assert "Tool: Tuesday" in (await call(plugin, "read", conversation_id="c1"))["text"]


async def test_a_long_one_comes_in_parts() -> None:
    long = TALK | {"messages": [{"role": "user", "content": "x" * 1200}]}
    async with PluginHarness(FOLDER, {"max_characters": 500}, user=ADA, conversations=[long]) as plugin:
        parts, start = [], 0
        while start is not None:
            found = await call(plugin, "read", conversation_id="c1", start=start)
            parts.append(found["text"])
            start = found.get("next_start")
        with pytest.raises(PluginError, match="1206 characters"):
            await call(plugin, "read", conversation_id="c1", start=9000)
    assert "".join(parts) == "User: " + "x" * 1200 and len(parts) == 3


async def test_nobody_reads_what_is_not_his() -> None:
    async with searcher() as plugin:
        with pytest.raises(PluginError, match="no such conversation"):
            await call(plugin, "read", conversation_id="c2")
    async with searcher(None) as plugin:
        with pytest.raises(PermissionDenied):
            await call(plugin, "search", query="dentist")
    async with PluginHarness(FOLDER, user=ADA, permissions=[]) as plugin:
        with pytest.raises(PermissionDenied):
            await call(plugin, "search", query="dentist")


async def test_what_makes_no_sense_is_refused() -> None:
    async with searcher() as plugin:
        for action, parameters in (
            ("search", {"query": " "}),
            ("search", {"query": "x" * 401}),
            ("search", {"query": "a", "limit": 51}),
            ("read", {}),
            ("read", {"conversation_id": "c1", "start": -1}),
            ("forget", {}),
        ):
            with pytest.raises(PluginError):
                await call(plugin, action, **parameters)
    assert plugin.host_calls == []
