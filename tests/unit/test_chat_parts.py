"""Small parts of the chat: event ids, live answers, usage, tool names, result texts."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from aichat.chat.live import LiveAnswer, encode_event, parse_event_id
from aichat.chat.parts import add_usage, merged
from aichat.chat.planning import tool_name
from aichat.chat.tools import RESULT_LIMIT, result_text

ID = str(uuid.UUID(int=7))


@pytest.mark.parametrize(
    ("text", "found"),
    [(f"{ID}:12", (ID, 12)), (f" {ID}:0 ", (ID, 0)), ("", (None, 0)), ("12", (None, 0)), (f"{ID}:x", (None, 0))],
)
def test_an_event_id_says_which_answer_and_how_far(text: str, found: tuple[str | None, int]) -> None:
    assert parse_event_id(text) == found


def test_an_event_is_one_block_whatever_is_in_it() -> None:
    data: dict[Any, Any] = {"content": "a\n\nb", "raw": b"x", 1: {2}}
    block = encode_event(ID, 3, "delta", data)
    assert block.startswith(f"id: {ID}:3\nevent: delta\ndata: ".encode())
    assert block.count(b"\n\n") == 1 and b'{"base64":"eA=="}' in block


async def test_every_reader_of_a_live_answer_gets_everything_once() -> None:
    live = LiveAnswer(ID, "c")

    async def read(after: int) -> list[int]:
        return [event.number async for batch in live.batches(after) for event in batch]

    readers = [asyncio.create_task(read(after)) for after in (0, 0, 2)]
    for name in ("message.start", "delta", "delta", "message.end", "delta"):
        live.emit(name, {})
        await asyncio.sleep(0)
    assert await asyncio.gather(*readers) == [[1, 2, 3, 4], [1, 2, 3, 4], [3, 4]]
    assert await read(0) == [1, 2, 3, 4]


def test_usage_is_summed_over_rounds_and_unknown_while_nobody_counted() -> None:
    assert add_usage(None, None) is None
    once = add_usage(None, {"prompt_tokens": 2, "completion_tokens": 3})
    assert once == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert add_usage(once, once) == {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}


@pytest.mark.parametrize(("action", "name"), [("add", "my-calc__add"), ("web.search", "my-calc__web_search")])
def test_a_tools_name_is_one_that_models_take(action: str, name: str) -> None:
    assert tool_name("my-calc", action) == name
    assert len(tool_name("p" * 64, action)) == 64


@pytest.mark.parametrize(("result", "text"), [("x", "x"), (None, "null"), ({"a": [1]}, '{"a":[1]}')])
def test_a_tools_result_is_text_for_the_model(result: Any, text: str) -> None:
    assert result_text(result) == text


def test_a_huge_result_is_cut_and_says_so() -> None:
    assert result_text("x" * (RESULT_LIMIT + 5)).endswith("[cut: 5 more characters]")


def test_chunks_that_bring_more_than_text_are_not_put_together() -> None:
    def chunk(**more: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": {"content": "a"}, **more}]}

    assert len(merged([chunk(logprobs=None), chunk(logprobs=None)])) == 1
    assert len(merged([chunk(logprobs={"content": [1]}), chunk(logprobs={"content": [2]})])) == 2
