"""The table is read again by the csv module, and by the rules of RFC 4180."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from plugins_app.sdk import ConfigError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
MESSAGES: list[dict[str, Any]] = [
    {
        "id": "1",
        "role": "user",
        "content": [
            {"type": "text", "text": 'a "quoted", word\nשלום 😀'},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "name": "cat.png"},
            {"type": "image_url", "image_url": {"url": "https://x.io/a.png"}},
        ],
        "created_at": "2026-11-23T10:16:37+00:00",
    },
    {
        "id": "2",
        "parent_id": "1",
        "role": "assistant",
        "model": "a/b",
        "content": "fine",
        "reasoning": "Hm.",
        "tool_calls": [{"function": {"name": "calculator__evaluate", "arguments": '{"expression": "2+2"}'}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3},
        "cost": 0.0015,
        "duration_ms": 20,
    },
    {"id": "3", "parent_id": "2", "role": "tool", "name": "calculator__evaluate", "content": "4"},
]


async def exported(data: Any, **config: Any) -> str:
    async with PluginHarness(FOLDER, config) as plugin:
        return bytes(await plugin.call("export", data)).decode()


async def rows(messages: list[dict[str, Any]], **config: Any) -> list[dict[str, str]]:
    text = (await exported({"messages": messages}, **config)).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


async def test_each_message_is_a_row() -> None:
    question, answer, result = await rows(MESSAGES, timezone="Europe/Berlin")
    assert question["content"] == 'a "quoted", word\nשלום 😀'
    assert question["time"] == "2026-11-23 11:16:37 CET"
    assert question["attachments"] == "cat.png (image/png, 3 bytes)\nhttps://x.io/a.png"
    assert (answer["number"], answer["id"], answer["parent_id"]) == ("2", "2", "1")
    assert (answer["model"], answer["reasoning"]) == ("a/b", "Hm.")
    assert answer["tool_calls"] == 'calculator.evaluate { "expression": "2+2" }'
    numbers = [answer[name] for name in ("prompt_tokens", "completion_tokens", "cost_usd", "duration_ms")]
    assert numbers == ["12", "3", "0.0015", "20"]
    assert (result["role"], result["tool"], result["content"]) == ("tool", "calculator.evaluate", "4")


async def test_it_is_written_as_rfc_4180_says() -> None:
    data = {"system_prompt": "Be brief.", "messages": [{"role": "user", "content": "a,b\nc"}]}
    lines = (await exported(data)).split("\r\n")
    assert lines[0].startswith("\ufeffnumber,id,parent_id,time,role,")
    assert lines[1].startswith("0,,,,system,,Be brief.,")
    assert lines[2].startswith('1,,,,user,,"a,b\nc",')
    assert lines[3:] == [""]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", " =cmd|'/c calc'!A0", "\n=1", "＝1+1", '=HYPERLINK("x")']
)
async def test_nothing_is_run_as_a_formula(text: str) -> None:
    said = [{"id": text, "role": "assistant", "content": text, "model": text, "reasoning": text}]
    (row,) = await rows(said)
    assert [row[name][0] for name in ("id", "content", "reasoning")] == ["'"] * 3
    assert row["model"].startswith("'") or row["model"][0] not in "=+-@\t\r\n"
    (plain,) = await rows(said, guard_formulas=False)
    assert plain["content"] == text


async def test_ordinary_text_is_left_alone() -> None:
    for text in ("1 - 2 = -1", "a=b", "'quoted'", "# heading"):
        assert (await rows([{"role": "user", "content": text}]))[0]["content"] == text


async def test_delimiter_and_mark_are_chosen() -> None:
    text = await exported({"messages": MESSAGES}, delimiter="semicolon", bom=False)
    assert text.startswith("number;id;")
    async with PluginHarness(FOLDER, {"delimiter": "tab"}) as plugin:
        assert await plugin.call("get_file_extension") == ".tsv"
        assert await plugin.call("get_media_type") == "text/tab-separated-values; charset=utf-8"
    async with PluginHarness(FOLDER) as plugin:
        assert await plugin.call("get_file_extension") == ".csv"
        assert await plugin.call("get_media_type") == "text/csv; charset=utf-8; header=present"


async def test_what_is_switched_off_is_left_out() -> None:
    off = dict.fromkeys(("include_tools", "include_reasoning", "include_usage", "include_attachments"), False)
    question, answer = await rows(MESSAGES, include_times=False, **off)
    assert (question["attachments"], question["time"]) == ("", "")
    assert [answer[name] for name in ("reasoning", "tool_calls", "prompt_tokens", "cost_usd")] == [""] * 4


async def test_nothing_is_a_table_too(tmp_path: Path) -> None:
    assert (await exported(None)).count("\r\n") == 1
    target = tmp_path / "out.csv"
    async with PluginHarness(FOLDER) as plugin:
        content = await plugin.call("export", {"messages": MESSAGES}, output_path=str(target))
    assert target.read_bytes() == content
    with pytest.raises(ConfigError, match="not a known time zone"):
        await PluginHarness(FOLDER, {"timezone": "Mars/Olympus"}).__aenter__()
