"""The google-gemini plugin with the vendor's own SDK, against a server that speaks the vendor's format."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.genai import version

from plugins_app.sdk import AuthFailed, DeadlineExceeded, NotReady, PluginError, UpstreamError
from plugins_app.sdk.testing import PluginHarness
from tests.vendors.gemini import SIGNATURE, Gemini
from tests.vendors.server import KEY, Cut, Garbage, Stall, Status

FOLDER = Path(__file__).parents[1]
MODEL = "gemini-2.5-flash"
HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "date-time__now", "parameters": {"type": "object", "$defs": {}}}}


@pytest.fixture
async def gemini() -> AsyncIterator[Gemini]:
    server = Gemini()
    async with server.running():
        yield server


def plugin(server: Gemini, **config: Any) -> PluginHarness:
    return PluginHarness(FOLDER, {"api_key": KEY, "base_url": server.url, **config})


async def answer(
    server: Gemini, messages: list[dict[str, Any]] = HELLO, model: str = MODEL, **params: Any
) -> dict[str, Any]:
    async with plugin(server) as harness:
        result: dict[str, Any] = await harness.call("chat_completion", messages, model, **params)
        return result


async def test_an_answer_streams_with_its_thoughts_and_is_counted(gemini: Gemini) -> None:
    async with plugin(gemini) as harness:
        chunks = [chunk async for chunk in harness.stream("stream_completion", HELLO, MODEL)]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "You said: hello"
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Let me think."
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": 8,
        "total_tokens": 20,
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert f"google-genai-sdk/{version.__version__}" in gemini.seen[0].headers["user-agent"]


async def test_parameters_are_googles(gemini: Gemini) -> None:
    messages = [{"role": "system", "content": "be kind"}, *HELLO]
    await answer(
        gemini, messages, model="gemini-2.0-flash", temperature=0.5, top_p=0.9, max_tokens=99, stop="END", seed=3
    )
    assert gemini.last == {
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "systemInstruction": {"role": "user", "parts": [{"text": "be kind"}]},
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "maxOutputTokens": 99,
            "stopSequences": ["END"],
            "seed": 3,
        },
    }


async def test_tools_go_both_ways_and_keep_their_signature(gemini: Gemini) -> None:
    async with plugin(gemini) as harness:
        first = await harness.call("chat_completion", HELLO, MODEL, tools=[TOOL], tool_choice="required")
        choice = first["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        calls = choice["message"]["tool_calls"]
        assert [call["function"]["arguments"] for call in calls] == ['{"expression": "6*7"}', "{}"]
        assert len({call["id"] for call in calls}) == 2
        assert gemini.last["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
        declared = gemini.last["tools"][0]["functionDeclarations"][0]
        assert declared["parametersJsonSchema"] == {"type": "object", "$defs": {}}

        texts = ('{"now": "noon"}', "no")
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": text}
            for call, text in zip(calls, texts, strict=True)
        ]
        conversation = [*HELLO, choice["message"], *results]
        second = await harness.call("chat_completion", conversation, MODEL, tools=[TOOL])
    said = second["choices"][0]["message"]["content"]
    assert said == "You said: date-time__now={'now': 'noon'}; date-time__now={'output': 'no'}"
    parts = gemini.last["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [None, SIGNATURE, None]

    # Another instance does not know it, and says so in the way that Google has for it.
    await answer(gemini, conversation, tools=[TOOL])
    parts = gemini.last["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [None, "skip_thought_signature_validator", None]


async def test_a_named_tool_is_forced(gemini: Gemini) -> None:
    await answer(gemini, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "date-time__now"}})
    calling = gemini.last["toolConfig"]["functionCallingConfig"]
    assert calling == {"mode": "ANY", "allowedFunctionNames": ["date-time__now"]}


async def test_images_sound_and_files_are_sent(gemini: Gemini) -> None:
    parts = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.webp"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg=="}},
    ]
    got = await answer(gemini, [{"role": "user", "content": parts}])
    text = got["choices"][0]["message"]["content"]
    assert text == "You said: see <image/png> <https://example.com/a.webp> <audio/mp3> <application/pdf>"
    with pytest.raises(PluginError, match="not valid base64"):
        broken = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,!"}}]
        await answer(gemini, [{"role": "user", "content": broken}])


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("gemini-2.5-flash", "none", {"includeThoughts": False, "thinkingBudget": 0}),
        ("gemini-2.5-pro", "none", {"includeThoughts": False, "thinkingBudget": 128}),
        ("gemini-2.5-flash", "high", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-3-pro-preview", "minimal", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ("gemini-3-flash", "medium", {"includeThoughts": True, "thinkingLevel": "MEDIUM"}),
        ("gemini-flash-latest", None, {"includeThoughts": True}),
        ("gemini-2.0-flash", "high", None),
        ("gemma-3-27b-it", "high", None),
    ],
)
async def test_how_much_it_thinks_depends_on_the_model(
    gemini: Gemini, model: str, effort: str | None, expected: dict[str, Any] | None
) -> None:
    await answer(gemini, model=model, reasoning_effort=effort)
    assert gemini.last.get("generationConfig", {}).get("thinkingConfig") == expected


async def test_an_answer_can_have_a_schema(gemini: Gemini) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "required": ["n"]}}}
    await answer(gemini, response_format=form)
    assert gemini.last["generationConfig"]["responseMimeType"] == "application/json"
    assert gemini.last["generationConfig"]["responseJsonSchema"] == form["json_schema"]["schema"]


async def test_any_number_of_texts_becomes_vectors(gemini: Gemini) -> None:
    async with plugin(gemini) as harness:
        found = await harness.call("embed", ["a" * n for n in range(1, 121)], "gemini-embedding-001", dimensions=256)
    assert [vector[0] for vector in found["data"]] == list(range(1, 121))
    assert len(gemini.seen) == 2
    assert gemini.last["requests"][0]["outputDimensionality"] == 256


async def test_the_models_come_from_the_api_and_are_kept(gemini: Gemini) -> None:
    async with plugin(gemini) as harness:
        models = {model["id"]: model for model in await harness.call("get_available_models")}
        assert await harness.call("get_available_models")
    assert len(gemini.seen) == 1
    assert set(models) == {"gemini-2.5-flash", "gemini-2.0-flash", "gemini-embedding-001"}
    assert models[MODEL]["capabilities"] == ["tools", "vision", "json", "reasoning"]
    assert models[MODEL]["pricing"] == {"prompt": 0.3, "completion": 2.5}
    assert models["gemini-embedding-001"]["kind"] == "embedding"


async def test_without_the_api_there_is_a_list_too(gemini: Gemini) -> None:
    gemini.faults.append(Status(503))
    async with plugin(gemini, models=["mine", MODEL]) as harness:
        assert [model["id"] for model in await harness.call("get_available_models")] == [MODEL, "mine"]


async def test_a_busy_api_is_asked_again_when_it_says_so(gemini: Gemini) -> None:
    gemini.faults.extend([Status(429), Status(503)])  # here the body says how long
    got = await answer(gemini)
    assert got["choices"][0]["message"]["content"] == "You said: hello"
    times = [seen.at for seen in gemini.seen]
    assert len(times) == 3
    assert times[1] - times[0] >= 0.3


async def test_a_busy_api_is_told_of_when_it_stays_busy(gemini: Gemini) -> None:
    gemini.faults.extend([Status(429), Status(500)])
    async with plugin(gemini, max_retries=0) as harness:
        with pytest.raises(NotReady) as caught:
            await harness.call("chat_completion", HELLO, MODEL)
        assert caught.value.retry_after == 0.3
        with pytest.raises(UpstreamError, match="500"):
            await harness.call("embed", ["a"], "gemini-embedding-001")


async def test_a_bad_request_is_not_repeated(gemini: Gemini) -> None:
    gemini.faults.append(Status(400))
    with pytest.raises(UpstreamError, match="as asked by the test"):
        await answer(gemini)
    assert len(gemini.seen) == 1


async def test_a_bad_key_is_told_without_the_key(gemini: Gemini) -> None:
    async with plugin(gemini, api_key="wrong-secret") as harness:
        with pytest.raises(AuthFailed) as caught:
            await harness.call("chat_completion", HELLO, MODEL)
    assert "wrong-secret" not in str(caught.value)
    assert len(gemini.seen) == 1


@pytest.mark.parametrize(
    "fault", [Cut(2), Garbage("data: {not json\n\n"), Garbage("data: [1]\n\n"), Garbage("<html>", "text/html")]
)
async def test_a_broken_stream_ends_with_an_error(gemini: Gemini, fault: Cut | Garbage) -> None:
    gemini.faults.append(fault)
    async with plugin(gemini, max_retries=0) as harness:
        with pytest.raises(UpstreamError):
            await harness.call("chat_completion", HELLO, MODEL)


async def test_silence_has_a_limit(gemini: Gemini) -> None:
    gemini.faults.append(Stall(2))
    async with plugin(gemini, timeout_s=1, max_retries=0) as harness:
        with pytest.raises(DeadlineExceeded, match="timeout_s"):
            await harness.call("chat_completion", HELLO, MODEL)


@pytest.mark.parametrize("stall", [Stall(2), Stall(None)])
async def test_a_caller_that_leaves_hangs_up(gemini: Gemini, stall: Stall) -> None:
    gemini.faults.append(stall)
    async with plugin(gemini) as harness:
        call = asyncio.create_task(harness.call("chat_completion", HELLO, MODEL))
        while not gemini.seen:
            await asyncio.sleep(0.01)
        call.cancel()
        assert await asyncio.to_thread(gemini.left.wait, 5)


async def test_requests_go_through_a_proxy(gemini: Gemini) -> None:
    # A plain HTTP proxy is asked for the whole address.
    async with plugin(gemini, base_url="http://gemini.invalid", proxy=gemini.url) as harness:
        await harness.call("chat_completion", HELLO, MODEL)
    assert gemini.seen[0].headers["host"] == "gemini.invalid"
