"""The example provider answers deterministically, streams, calls tools when asked to, and counts."""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from plugins_app.sdk import ConfigError, PluginError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
TOOLS = [{"type": "function", "function": {"name": f"calculator__{name}"}} for name in ("evaluate", "convert")]
TOOLS.append({"type": "function", "function": {"name": "web-search__find"}})


def harness(**config: Any) -> PluginHarness:
    return PluginHarness(FOLDER, {"delay_ms": 0} | config)


def said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


async def answer(text: str, model: str = "echo", **params: Any) -> dict[str, Any]:
    async with harness() as plugin:
        whole: dict[str, Any] = await plugin.call("chat_completion", said(text), model, **params)
    return whole


def calls_of(whole: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    calls = whole["choices"][0]["message"].get("tool_calls", [])
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


async def test_it_offers_the_models_that_are_configured() -> None:
    async with harness() as plugin:
        models = await plugin.call("get_available_models")
    assert [model["id"] for model in models] == ["echo", "story", "think"]
    assert set(models[0]) == {"id", "name", "description", "context_window", "max_tokens"}
    async with harness(models=["story"]) as plugin:
        assert [model["id"] for model in await plugin.call("get_available_models")] == ["story"]
        with pytest.raises(PluginError, match="no model 'echo'"):
            await plugin.call("chat_completion", said("hi"), "echo")


@pytest.mark.parametrize(
    ("config", "pointer"), [({"delay_ms": -1}, "/delay_ms"), ({"models": ["gpt"]}, "/models/0"), ({"models": []}, None)]
)
async def test_a_wrong_configuration_is_refused(config: dict[str, Any], pointer: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        await harness(**config).__aenter__()
    assert [error["pointer"] for error in caught.value.errors] == ([pointer] if pointer else [])


async def test_echo_repeats_and_counts_words() -> None:
    whole = await answer("hello big world")
    content = whole["choices"][0]["message"]["content"]
    assert content == "You said: hello big world\n\nThat is 3 words: hello, big, world."
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 17, "total_tokens": 20}


async def test_the_same_words_bring_the_same_story_and_others_another() -> None:
    first, again, other = [await answer(text, "story") for text in ("tea", "tea", "coffee")]
    assert first["choices"] == again["choices"] != other["choices"]
    assert first["id"] != again["id"]
    assert first["usage"]["completion_tokens"] > 100


async def test_the_stream_adds_up_to_the_whole_answer() -> None:
    async with harness() as plugin:
        whole = await plugin.call("chat_completion", said("one two"), "think")
        chunks = [chunk async for chunk in plugin.stream("stream_completion", said("one two"), "think")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    message = whole["choices"][0]["message"]
    for field in ("content", "reasoning_content"):
        assert "".join(delta.get(field) or "" for delta in deltas) == message[field]
    assert deltas[0]["role"] == "assistant"
    assert chunks[-1]["usage"] == whole["usage"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert len(chunks) > 20


async def test_max_tokens_cuts_the_answer() -> None:
    whole = await answer("hello big world", max_tokens=3)
    assert whole["choices"][0]["message"]["content"] == "You said:"
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["usage"]["completion_tokens"] == 3


async def test_unknown_parameters_and_other_content_are_fine() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    async with harness() as plugin:
        for content in (parts, None, "", "🙂"):
            messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": content}]
            whole = await plugin.call("chat_completion", messages, "echo", temperature=1, top_p=0.5, user="ada")
            assert whole["choices"][0]["message"]["content"].startswith("You said")


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("calculate 2*21", [("calculator__evaluate", {"expression": "2*21"})]),
        (
            "what is 2+2 and sqrt(16)?",
            [("calculator__evaluate", {"expression": "2+2"}), ("calculator__evaluate", {"expression": "sqrt(16)"})],
        ),
        ("convert 5 km to mi.", [("calculator__convert", {"value": 5.0, "from_unit": "km", "to_unit": "mi"})]),
        ('use web-search.find {"q": "a {b}"} please', [("web-search__find", {"q": "a {b}"})]),
        (
            'use calculator.evaluate {"expression": "1"} and use web-search.find',
            [("calculator__evaluate", {"expression": "1"}), ("web-search__find", {})],
        ),
        ("what is the best 3-day trip?", []),
        ("what is 2026?", []),
    ],
)
async def test_it_calls_the_tools_it_is_asked_to(text: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
    whole = await answer(text, tools=TOOLS)
    assert calls_of(whole) == calls
    assert whole["choices"][0]["finish_reason"] == ("tool_calls" if calls else "stop")


async def test_tool_calls_are_streamed_in_pieces() -> None:
    async with harness() as plugin:
        stream = plugin.stream("stream_completion", said("what is 2+2 and 30*40?"), "echo", tools=TOOLS)
        deltas = [chunk["choices"][0]["delta"] async for chunk in stream if chunk["choices"]]
    parts = [part for delta in deltas for part in delta.get("tool_calls", [])]
    assert [part["index"] for part in parts] == sorted(part["index"] for part in parts)
    ids = [part["id"] for part in parts if "id" in part]
    assert len(ids) == len(set(ids)) == 2
    second = "".join(part["function"].get("arguments", "") for part in parts if part["index"] == 1)
    assert json.loads(second) == {"expression": "30*40"}
    assert len(parts) > 4


async def test_without_the_tool_it_says_so_and_with_tool_choice_none_it_talks() -> None:
    whole = await answer("use weather.today {}", tools=TOOLS)
    assert whole["choices"][0]["message"]["content"] == "I was not offered weather.today, so I cannot use it."
    assert calls_of(await answer("what is 2+2?", tools=TOOLS, tool_choice="none")) == []
    assert calls_of(await answer("what is 2+2?")) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"expression": "2+2", "result": "4"}', "calculator.evaluate answered 4."),
        ('[1, "ä"]', 'calculator.evaluate answered [1, "ä"].'),
        ("plain words", "calculator.evaluate answered plain words."),
        ('{"error": {"detail": "division by zero"}}', "calculator.evaluate failed: division by zero"),
        ('{"error": "no"}', "calculator.evaluate failed: no"),
    ],
)
async def test_it_answers_with_the_tools_result(content: str, sentence: str) -> None:
    async with harness() as plugin:
        first = await plugin.call("chat_completion", said("what is 2+2?"), "echo", tools=TOOLS)
        message = first["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": content}
        whole = await plugin.call("chat_completion", [*said("what is 2+2?"), message, result], "echo", tools=TOOLS)
    assert whole["choices"][0]["message"]["content"] == sentence


async def test_the_greeting_comes_first_and_a_stream_can_be_left() -> None:
    async with harness(greeting="Ahoy!", delay_ms=5000) as plugin:
        stream = plugin.stream("stream_completion", said("hi"), "echo", delay_ms=0)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                assert chunk["choices"][0]["delta"]["content"] == "Ahoy"
                break
