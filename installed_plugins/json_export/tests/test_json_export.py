"""What is exported is valid, complete, and in an order that an import can follow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
SCHEMA = json.loads((FOLDER / "ai-chat-studio-1.schema.json").read_text(encoding="utf-8"))
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "name": "cat.png"}
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}}
QUESTION: dict[str, Any] = {
    "id": "q",
    "parent_id": None,
    "role": "user",
    "content": [{"type": "text", "text": "2+2? שלום 😀"}, IMAGE, FILE],
    "created_at": "2026-11-23T10:16:37+00:00",
}
ANSWER: dict[str, Any] = {
    "id": "a",
    "parent_id": "q",
    "role": "assistant",
    "content": None,
    "reasoning": "Hm.",
    "model": "x/y",
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "calculator__evaluate", "arguments": "{}"}}],
    "usage": {"prompt_tokens": 3},
    "cost": 0.25,
    "duration_ms": 12.5,
    "status": "complete",
}
OTHER = {"id": "b", "parent_id": "q", "role": "assistant", "content": "four", "status": "cancelled"}
CONVERSATION: dict[str, Any] = {
    "id": "c",
    "title": 'Sums "and" more',
    "created_at": "2026-11-23T10:16:37+00:00",
    "updated_at": "2026-11-23T10:16:37+00:00",
    "model": "x/y",
    "system_prompt": "Be brief.",
    "params": {"temperature": 0.5},
    "pinned": True,
    "messages": [QUESTION, OTHER],
    "branches": [ANSWER, QUESTION, OTHER],
}


async def exported(data: Any, **config: Any) -> dict[str, Any]:
    """The file, checked against its schema and its promises about order."""
    async with PluginHarness(FOLDER, config) as plugin:
        content = b"".join([piece async for piece in plugin.stream("export", data)])
    file: dict[str, Any] = json.loads(content)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(file)
    (conversation,) = file["conversations"]
    seen: set[str] = set()
    for message in conversation["messages"]:
        assert message["parent_id"] is None or message["parent_id"] in seen
        assert message["id"] not in seen
        seen.add(message["id"])
    assert set(conversation["current_branch"]) <= seen
    return file


async def of(data: Any, **config: Any) -> dict[str, Any]:
    conversation: dict[str, Any] = (await exported(data, **config))["conversations"][0]
    return conversation


async def test_it_names_its_extension_and_media_type() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert await plugin.call("get_file_extension") == ".json"
        assert await plugin.call("get_media_type") == "application/json"


async def test_nothing_is_lost() -> None:
    file = await exported(CONVERSATION)
    assert (file["format"], file["version"]) == ("ai-chat-studio", 1)
    assert file["exporter"] == {"plugin": "json-export", "version": "1.0.0"}
    assert datetime.fromisoformat(file["exported_at"]).tzinfo is not None
    (conversation,) = file["conversations"]
    for name in ("id", "title", "created_at", "updated_at", "model", "system_prompt", "params", "pinned"):
        assert conversation[name] == CONVERSATION[name]
    assert conversation["current_branch"] == ["q", "b"]
    assert [message["id"] for message in conversation["messages"]] == ["q", "a", "b"]
    for message, given in zip(conversation["messages"], (QUESTION, ANSWER, OTHER), strict=True):
        assert message | given == message


async def test_what_is_switched_off_is_left_out() -> None:
    off = dict.fromkeys(("include_branches", "include_attachments", "include_reasoning", "include_usage"), False)
    conversation = await of(CONVERSATION | {"messages": [QUESTION, ANSWER]}, **off)
    question, answer = conversation["messages"]
    assert [part["text"] for part in question["content"][1:]] == ["[image cat.png left out]", "[file a.pdf left out]"]
    assert (answer["reasoning"], answer["usage"], answer["cost"], answer["duration_ms"]) == (None,) * 4
    assert "data:" not in json.dumps(conversation)


async def test_messages_without_ids_or_parents_are_chained() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"id": "x", "content": "c"}]
    conversation = await of({"messages": messages})
    assert [(one["id"], one["parent_id"]) for one in conversation["messages"]] == [
        ("m1", None),
        ("m2", "m1"),
        ("x", "m2"),
    ]


@pytest.mark.parametrize(
    "branches",
    [
        [{"id": "1", "parent_id": "2"}, {"id": "2", "parent_id": "1"}],
        [{"id": "1", "parent_id": "gone"}, {"id": "1", "parent_id": None}, {"id": "2", "parent_id": "1"}],
        [{"id": "1", "parent_id": "1"}, {"content": "no id"}, None, 3],
        [{"id": str(number), "parent_id": str(number + 1)} for number in range(3000)],
    ],
)
async def test_odd_trees_become_trees(branches: Any) -> None:
    found = {message["id"] for message in (await of({"branches": branches}))["messages"]}
    assert found == {one["id"] for one in branches if isinstance(one, dict) and "id" in one}


@pytest.mark.parametrize("data", [None, 3, {}, {"messages": None}, {"messages": [None]}])
async def test_nothing_is_a_file_too(data: Any) -> None:
    conversation = await of(data)
    assert (conversation["messages"], conversation["current_branch"]) == ([], [])


async def test_times_that_come_as_times_are_written_as_text(tmp_path: Path) -> None:
    when = datetime(2026, 11, 23, tzinfo=UTC)
    target = tmp_path / "out.json"
    async with PluginHarness(FOLDER) as plugin:
        content = await plugin.call("export", {"created_at": when}, output_path=str(target))
    assert target.read_bytes() == content
    assert json.loads(content)["conversations"][0]["created_at"] == "2026-11-23T00:00:00+00:00"
