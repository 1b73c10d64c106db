"""What export plugins share: a conversation read into what is to be written, whatever it looks like."""

from __future__ import annotations

import base64
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from plugins_app.sdk import ConfigError
from plugins_app.sdk.exports import (
    Attachment,
    Entry,
    Options,
    check_timezone,
    parts_of,
    pretty_json,
    read_conversation,
    size_words,
    streamed,
)

PICTURE = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()
MESSAGES: list[dict[str, Any]] = [
    {"id": "s", "role": "system", "content": "Be brief."},
    {"id": "u", "role": "user", "content": "2+2?", "created_at": "2026-11-23T10:16:37+00:00"},
    {
        "id": "a",
        "role": "assistant",
        "content": None,
        "model": "example/echo",
        "reasoning": "Hm.",
        "tool_calls": [{"id": "1", "function": {"name": "calculator__evaluate", "arguments": '{"expression":"2+2"}'}}],
        "usage": {"prompt_tokens": 1234, "completion_tokens": 5},
        "cost": 0.0012,
        "duration_ms": 2345,
    },
    {"id": "t", "role": "tool", "name": "calculator__evaluate", "content": '{"result": "4"}'},
]


def entries(*messages: dict[str, Any], branches: Any = None, **config: Any) -> list[Entry]:
    data = {"messages": list(messages) or MESSAGES, "branches": branches}
    return list(read_conversation(data, Options.of(config)).entries())


def test_a_message_is_read_with_all_that_is_known_about_it() -> None:
    system, user, assistant, tool = entries(timezone="Europe/Berlin")
    assert (system.who, user.when) == ("System", "2026-11-23 11:16:37 CET")
    assert (assistant.model, assistant.reasoning, assistant.parts) == ("example/echo", "Hm.", [])
    assert assistant.calls[0].name == "calculator.evaluate"
    assert (assistant.calls[0].arguments, assistant.calls[0].language) == ('{\n  "expression": "2+2"\n}', "json")
    assert assistant.facts == "1,234 tokens in · 5 tokens out · $0.0012 · 2.3 s"
    assert (tool.tool, tool.text) == ("calculator.evaluate", '{"result": "4"}')


@pytest.mark.parametrize(
    ("option", "left"),
    [
        ("include_system_prompt", ["u", "a", "t"]),
        ("include_tools", ["s", "u", "a"]),
    ],
)
def test_what_the_options_leave_out_does_not_come(option: str, left: list[str]) -> None:
    by_role = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    assert [entry.role for entry in entries(**{option: False})] == [by_role[one] for one in left]


def test_reasoning_times_usage_and_files_can_be_left_out() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    message = MESSAGES[2] | {"content": parts, "created_at": "2026-11-23"}
    options = ("include_reasoning", "include_times", "include_usage", "include_attachments")
    (entry,) = entries(message, **dict.fromkeys(options, False))
    assert (entry.reasoning, entry.when, entry.facts, entry.parts) == ("", "", "", ["look"])


def test_pictures_and_files_come_with_their_bytes() -> None:
    image, file, elsewhere, text = parts_of(
        [
            {"type": "image_url", "image_url": {"url": PICTURE}, "name": "cat.png"},
            {
                "type": "file",
                "file": {"filename": "a.txt", "file_data": "data:text/plain;charset=utf-8,gr%C3%BC%C3%9F"},
            },
            {"type": "image_url", "image_url": {"url": "https://x.io/a.png"}},
            {"type": "text", "text": "hi"},
        ]
    )
    assert image == Attachment(True, "cat.png", "image/png", b"\x89PNG")
    assert isinstance(file, Attachment) and file.text == "grüß"
    assert elsewhere == Attachment(True, "image", "", url="https://x.io/a.png")
    assert text == "hi"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", None, 3, "data:image/png;base64,***"])
def test_an_address_that_is_none_is_not_kept(url: Any) -> None:
    (part,) = parts_of([{"type": "image_url", "image_url": {"url": url}}])
    assert isinstance(part, Attachment) and (part.data, part.url) == (None, "")


def test_a_message_with_others_beside_it_says_which_it_is() -> None:
    branches = [{"id": "u", "parent_id": None}, {"id": "u2", "parent_id": None}, {"id": "a", "parent_id": "u2"}]
    found = entries({"id": "u2", "role": "user", "content": "x"}, MESSAGES[2], branches=branches)
    assert [entry.notes for entry in found] == [["Version 2 of 2"], []]


def test_a_message_that_was_cut_says_so() -> None:
    said = {"role": "assistant", "content": "x", "status": "cancelled", "error": {"code": "timeout", "detail": "Late."}}
    assert entries(said)[0].notes == ["Stopped before it was finished", "Failed: Late."]


@pytest.mark.parametrize(
    "data", [None, 3, [], {}, {"messages": [None, 3, {}, {"role": 3, "content": 7, "tool_calls": 3, "usage": []}]}]
)
def test_nothing_is_trusted(data: Any) -> None:
    conversation = read_conversation(data, Options())
    assert conversation.title == "Conversation"
    assert list(conversation.entries()) == []


def test_a_time_that_is_none_stays_as_it_is() -> None:
    assert entries({"role": "user", "content": "x", "created_at": " last\nweek "})[0].when == "last week"


def test_zones_are_checked_with_the_configuration() -> None:
    assert Options.of({}).timezone is UTC
    assert Options.of({"timezone": "Asia/Tokyo"}).timezone == ZoneInfo("Asia/Tokyo")
    with pytest.raises(ConfigError, match="not a known time zone"):
        check_timezone({"timezone": "Mars/Olympus"})


def test_small_words() -> None:
    assert [size_words(size) for size in (3, 1500, 12_345, 12_345_678_901)] == ["3 bytes", "1.5 kB", "12 kB", "12 GB"]
    assert pretty_json('"a"') == ("a", "") and pretty_json("{a") == ("{a", "")
    assert pretty_json({"ü": 1}) == ('{\n  "ü": 1\n}', "json")


async def test_a_file_is_streamed_in_chunks_and_stored_where_wanted(tmp_path: Path) -> None:
    pieces: list[str | bytes] = ["ü" * 40_000, bytes(100_000), "", "end"]
    target = tmp_path / "file"
    chunks = [chunk async for chunk in streamed(iter(pieces), str(target))]
    assert [len(chunk) for chunk in chunks] == [65536, 65536, 48931]
    assert b"".join(chunks) == target.read_bytes() == "ü".encode() * 40_000 + bytes(100_000) + b"end"
    assert [chunk async for chunk in streamed([])] == []
