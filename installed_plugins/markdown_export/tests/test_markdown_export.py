"""A conversation survives its export: code, tools, times, and every script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from installed_plugins.markdown_export.markdown import closed, fenced, inline
from plugins_app.sdk import ConfigError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
CONVERSATION: dict[str, Any] = {
    "title": "Sums & *stars*\n",
    "created_at": "2026-11-23T10:16:37+00:00",
    "messages": [
        {"role": "user", "content": "what is 2+2?", "created_at": "2026-11-23T10:16:37+00:00"},
        {
            "role": "assistant",
            "content": None,
            "model": "example-provider/echo",
            "reasoning": "I should calculate.",
            "created_at": "2026-07-01T10:16:38+00:00",
            "tool_calls": [
                {"id": "1", "function": {"name": "calculator__evaluate", "arguments": '{"expression":"2+2"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "1", "name": "calculator__evaluate", "content": '{"result": "4"}'},
        {"role": "assistant", "content": "It is `4`.", "created_at": None},
    ],
}


async def exported(data: Any, **config: Any) -> str:
    async with PluginHarness(FOLDER, config) as plugin:
        content = await plugin.call("export", data)
    assert isinstance(content, bytes)
    return content.decode()


async def test_it_names_its_extension_and_media_type() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert await plugin.call("get_file_extension") == ".md"
        assert await plugin.call("get_media_type") == "text/markdown; charset=utf-8"


async def test_a_conversation_becomes_a_file() -> None:
    assert await exported(CONVERSATION) == "\n\n".join(
        [
            "# Sums & \\*stars\\*",
            "*2026-11-23 10:16:37 UTC*",
            "## User · 2026-11-23 10:16:37 UTC",
            "what is 2+2?",
            "## Assistant (example-provider/echo) · 2026-07-01 10:16:38 UTC",
            "<details>\n<summary>Reasoning</summary>\n\nI should calculate.\n\n</details>",
            "<details>\n<summary>Tool call: calculator.evaluate</summary>\n\n"
            '```json\n{\n  "expression": "2+2"\n}\n```\n\n</details>',
            "<details>\n<summary>Result of calculator.evaluate</summary>\n\n"
            '```json\n{\n  "result": "4"\n}\n```\n\n</details>',
            "## Assistant",
            "It is `4`.\n",
        ]
    )


async def test_tools_and_reasoning_can_be_left_out() -> None:
    text = await exported(CONVERSATION, include_tools=False, include_reasoning=False)
    assert "details" not in text
    assert text.count("## ") == 2


async def test_times_are_written_in_the_configured_zone() -> None:
    text = await exported(CONVERSATION, timezone="Europe/Berlin")
    assert "## User · 2026-11-23 11:16:37 CET" in text
    assert "2026-07-01 12:16:38 CEST" in text
    with pytest.raises(ConfigError, match="not a known time zone"):
        await PluginHarness(FOLDER, {"timezone": "Mars/Olympus"}).__aenter__()


async def test_front_matter_quotes_what_needs_quoting() -> None:
    lines = (await exported(CONVERSATION | {"title": 'a: "b" שלום'}, front_matter=True)).splitlines()
    assert lines[0] == lines[5] == "---"
    assert lines[1].removeprefix("title: ") == json.dumps('a: "b" שלום', ensure_ascii=False)
    assert lines[3:5] == ['models: ["example-provider/echo"]', "messages: 4"]


@pytest.mark.parametrize(
    "content", ["שלום עולם", "مرحبا بالعالم", "👩‍👩‍👧‍👦 🇩🇪", "日本語", "e\u0301", "```py\nx = '```'\n```"]
)
async def test_every_script_survives(content: str) -> None:
    assert f"\n\n{content}\n" in await exported({"title": content, "messages": [{"role": "user", "content": content}]})


async def test_results_with_backticks_get_a_longer_fence() -> None:
    data = {"messages": [{"role": "tool", "name": "x", "content": "a\n````\nb"}]}
    assert "\n`````\na\n````\nb\n`````\n" in await exported(data)
    assert fenced("plain", "json") == "```json\nplain\n```"


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("```py\nx = 1", "\n```"),
        ("~~~~\n```\n", "\n~~~~"),
        ("```\na\n```", ""),
        ("a ``` b", ""),
        ("````\n```\n", "\n````"),
    ],
)
def test_a_fence_that_was_left_open_is_closed(text: str, ending: str) -> None:
    assert closed(text) == (text.rstrip() + ending if ending else text)


async def test_parts_and_odd_input_are_written_as_well_as_can_be() -> None:
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://x.io/a b.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    text = await exported({"messages": [{"role": "user", "content": parts, "created_at": "yesterday"}]})
    assert "look\n\n![image](<https://x.io/a b.png>)\n\n*(image (image/png, 3 bytes))*" in text
    assert "## User · yesterday" in text
    assert await exported({}) == await exported(None) == "# Conversation\n"
    assert inline("a\n[b]_c_ `d` <e>") == "a \\[b\\]\\_c\\_ \\`d\\` \\<e>"


async def test_files_are_named_shown_or_embedded() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "name": "cat.png"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "file", "file": {"filename": "a.py", "file_data": "data:text/x-python,print(1)"}},
    ]
    data = {"messages": [{"role": "user", "content": parts}]}
    text = await exported(data)
    assert "*(cat.png (image/png, 3 bytes))*\n\n*(a.pdf (application/pdf, 3 bytes))*" in text
    assert "<summary>a.py (text/x-python, 8 bytes)</summary>\n\n```py\nprint(1)\n```" in text
    text = await exported(data, embed_files=True)
    assert "![cat.png](<data:image/png;base64,AAAA>)" in text
    assert "[a.pdf (application/pdf, 3 bytes)](<data:application/pdf;base64,AAAA>)" in text
    assert "cat.png" not in await exported(data, include_attachments=False)


async def test_what_else_is_known_is_there() -> None:
    answer = {"id": "2", "role": "assistant", "content": "x", "usage": {"completion_tokens": 3}, "cost": 0.5}
    branches = [{"id": "1", "parent_id": None}, {"id": "2", "parent_id": None}]
    data = {"system_prompt": "Be brief.", "messages": [answer], "branches": branches}
    text = await exported(data)
    assert "<summary>System prompt</summary>\n\nBe brief." in text
    assert "\n\n*Version 2 of 2 · 3 tokens out · $0.5*\n" in text
    text = await exported(data, include_system_prompt=False, include_usage=False)
    assert "brief" not in text and "tokens" not in text


async def test_a_long_conversation_comes_in_chunks() -> None:
    data = {"messages": [{"role": "user", "content": f"{number} " * 50} for number in range(5000)]}
    async with PluginHarness(FOLDER) as plugin:
        chunks = [chunk async for chunk in plugin.stream("export", data)]
    assert len(chunks) > 10 and all(len(chunk) <= 65536 for chunk in chunks)
    assert b"4999 4999" in chunks[-1]


async def test_it_writes_a_file_when_told_where(tmp_path: Path) -> None:
    target = tmp_path / "out.md"
    async with PluginHarness(FOLDER) as plugin:
        content = await plugin.call("export", {"title": "Saved"}, output_path=str(target))
    assert target.read_bytes() == content == b"# Saved\n"
