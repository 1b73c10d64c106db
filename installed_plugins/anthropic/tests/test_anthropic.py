"""The anthropic plugin with the vendor's own SDK, against a server that speaks the vendor's format."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

# Before pytest imports the plugin's own package, which it calls by its folder's name alone.
import anthropic
import pytest

from plugins_app.sdk import AuthFailed, ConfigError, DeadlineExceeded, NotReady, PluginError, UpstreamError
from plugins_app.sdk.testing import PluginHarness
from tests.vendors.claude import Claude
from tests.vendors.server import KEY, Cut, Garbage, Stall, Status

FOLDER = Path(__file__).parents[1]
HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "calculator__evaluate", "parameters": {"type": "object"}}}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
async def claude() -> AsyncIterator[Claude]:
    server = Claude()
    async with server.running():
        yield server


def plugin(server: Claude, **config: Any) -> PluginHarness:
    return PluginHarness(FOLDER, {"api_key": KEY, "base_url": server.url, **config})


async def answer(
    server: Claude, messages: list[dict[str, Any]] = HELLO, model: str = "claude-sonnet-4-6", **params: Any
) -> dict[str, Any]:
    async with plugin(server) as harness:
        result: dict[str, Any] = await harness.call("chat_completion", messages, model, **params)
        return result


async def test_an_answer_streams_and_is_counted(claude: Claude) -> None:
    async with plugin(claude) as harness:
        chunks = [chunk async for chunk in harness.stream("stream_completion", HELLO, "claude-sonnet-4-6")]
    text = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    assert "".join(filter(None, text)) == "You said: hello"
    assert {chunk["id"] for chunk in chunks} == {"msg_0123"}
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 15,
        "completion_tokens": 7,
        "total_tokens": 22,
        "prompt_tokens_details": {"cached_tokens": 5},
    }
    assert claude.seen[0].headers["user-agent"] == f"AsyncAnthropic/Python {anthropic.__version__}"


async def test_parameters_are_anthropics(claude: Claude) -> None:
    messages = [{"role": "system", "content": "be kind"}, {"role": "developer", "content": "be brief"}, *HELLO]
    await answer(claude, messages, temperature=1.7, top_p=0.5, max_tokens=99, stop=["END", " "], user="ada", seed=1)
    expected = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 99,
        "system": "be kind\n\nbe brief",
        "temperature": 1.0,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "ada"},
        "stream": True,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
    }
    assert claude.last == expected


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-haiku-5-5", "claude-sonnet-5", "claude-next"])
async def test_newer_models_are_not_sent_what_they_refuse(claude: Claude, model: str) -> None:
    await answer(claude, model=model, temperature=0.5, top_p=0.5)
    assert not {"temperature", "top_p"} & set(claude.last)


async def test_tools_go_both_ways(claude: Claude) -> None:
    first = await answer(claude, tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    choice = first["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert [call["function"]["arguments"] for call in choice["message"]["tool_calls"]] == [
        '{"expression": "6*7"}',
        "{}",
    ]
    assert claude.last["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert claude.last["tools"][0]["input_schema"] == {"type": "object", "properties": {}}

    results = [{"role": "tool", "tool_call_id": f"toolu_{n}", "content": text} for n, text in enumerate(("42", "no"))]
    second = await answer(claude, [*HELLO, choice["message"], *results], tools=[TOOL])
    assert second["choices"][0]["message"]["content"] == "You said: 42; no"
    said, done = claude.last["messages"][1:]
    assert [block["type"] for block in said["content"]] == ["text", "tool_use", "tool_use"]
    assert said["content"][1]["input"] == {"expression": "6*7"}
    assert [block["tool_use_id"] for block in done["content"]] == ["toolu_0", "toolu_1"]


async def test_a_named_tool_is_forced(claude: Claude) -> None:
    await answer(claude, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "calculator__evaluate"}})
    assert claude.last["tool_choice"] == {"type": "tool", "name": "calculator__evaluate"}


async def test_images_and_files_are_sent(claude: Claude) -> None:
    parts = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
    ]
    got = await answer(claude, [{"role": "user", "content": parts}])
    text = got["choices"][0]["message"]["content"]
    assert text == "You said: see <image base64 image/png> <image url None> <document base64 application/pdf>"
    with pytest.raises(PluginError, match="not a part of type 'input_audio'"):
        await answer(claude, [{"role": "user", "content": [{"type": "input_audio"}]}])


async def test_thoughts_are_shown_and_go_back_signed_with_the_tools_results(claude: Claude) -> None:
    async with plugin(claude) as harness:
        asked = {"model": "claude-haiku-4-5", "tools": [TOOL], "reasoning_effort": "low", "max_tokens": 100}
        first = await harness.call("chat_completion", HELLO, **asked)
        message = first["choices"][0]["message"]
        assert message["reasoning_content"] == "Let me think."
        assert claude.last["thinking"] == {"type": "enabled", "budget_tokens": 2048}
        assert claude.last["max_tokens"] > 2048
        results = [{"role": "tool", "tool_call_id": "toolu_0", "content": "42"}]
        await harness.call("chat_completion", [*HELLO, message, *results], **asked)
        thought = {"type": "thinking", "thinking": "Let me think.", "signature": "c2lnbmVk"}
        assert claude.last["messages"][1]["content"][0] == thought
    # Another instance knows nothing of it: it must not think then, because the API would refuse the request.
    async with plugin(claude) as harness:
        await harness.call("chat_completion", [*HELLO, message, *results], **asked)
        assert "thinking" not in claude.last


async def test_newer_models_think_as_long_as_they_like(claude: Claude) -> None:
    got = await answer(claude, model="claude-opus-5-5", reasoning_effort="minimal")
    assert got["choices"][0]["message"]["reasoning_content"] == "Let me think."
    assert claude.last["thinking"]["type"] == "adaptive"
    assert claude.last["output_config"] == {"effort": "low"}


async def test_an_answer_can_have_a_schema(claude: Claude) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    await answer(claude, response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})
    sent = claude.last["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert sent["schema"]["additionalProperties"] is False
    await answer(claude, response_format={"type": "json_object"})
    assert "JSON object" in claude.last["system"]


async def test_the_models_come_from_the_api_and_are_kept(claude: Claude) -> None:
    async with plugin(claude, prices={"claude-next": {"prompt": 1, "completion": 2}}) as harness:
        models = {model["id"]: model for model in await harness.call("get_available_models")}
        assert await harness.call("get_available_models")
    assert [seen.path for seen in claude.seen] == ["/v1/models"]
    assert models["claude-sonnet-4-6"]["context_window"] == 1_000_000
    assert models["claude-sonnet-4-6"]["pricing"] == {"prompt": 3.0, "completion": 15.0}
    assert models["claude-sonnet-4-6"]["capabilities"] == ["tools", "vision", "reasoning"]
    assert models["claude-next-9"]["pricing"] == {"prompt": 1, "completion": 2}


async def test_without_the_api_there_is_a_list_too(claude: Claude) -> None:
    claude.faults.append(Status(500))
    async with plugin(claude) as harness:
        assert "claude-haiku-4-5" in [model["id"] for model in await harness.call("get_available_models")]
    async with plugin(claude, models=["claude-next-9", "mine"]) as harness:
        assert [model["id"] for model in await harness.call("get_available_models")] == ["claude-next-9", "mine"]


async def test_a_busy_api_is_asked_again_when_it_says_so(claude: Claude) -> None:
    claude.faults.extend([Status(429, {"Retry-After": "0.3"}), Status(529)])
    got = await answer(claude)
    assert got["choices"][0]["message"]["content"] == "You said: hello"
    times = [seen.at for seen in claude.seen]
    assert len(times) == 3
    assert times[1] - times[0] >= 0.3


async def test_a_busy_api_is_told_of_when_it_stays_busy(claude: Claude) -> None:
    claude.faults.append(Status(429, {"Retry-After": "3600"}))
    with pytest.raises(NotReady) as caught:
        await answer(claude)
    assert caught.value.retry_after == 3600
    claude.faults.append(Status(500))
    async with plugin(claude, max_retries=0) as harness:
        with pytest.raises(UpstreamError, match="500") as failed:
            await harness.call("chat_completion", HELLO, "claude-sonnet-4-6")
    assert failed.value.status == 500


async def test_a_bad_request_is_not_repeated(claude: Claude) -> None:
    claude.faults.append(Status(400))
    with pytest.raises(UpstreamError, match="as asked by the test"):
        await answer(claude)
    assert len(claude.seen) == 1


async def test_a_bad_key_is_told_without_the_key(claude: Claude) -> None:
    async with plugin(claude, api_key="sk-wrong-secret") as harness:
        with pytest.raises(AuthFailed) as caught:
            await harness.call("chat_completion", HELLO, "claude-sonnet-4-6")
    assert "sk-wrong-secret" not in str(caught.value)
    assert len(claude.seen) == 1


@pytest.mark.parametrize("fault", [Cut(3), Garbage(), Garbage("event: message_start\ndata: [1]\n\n")])
async def test_a_broken_stream_ends_with_an_error(claude: Claude, fault: Cut | Garbage) -> None:
    claude.faults.extend([fault] * 3)
    async with plugin(claude, max_retries=0) as harness:
        with pytest.raises(UpstreamError):
            await harness.call("chat_completion", HELLO, "claude-sonnet-4-6")


async def test_no_answer_at_all_is_an_error(claude: Claude) -> None:
    claude.faults.append(Garbage("<html>hello</html>", "text/html"))
    async with plugin(claude, max_retries=0) as harness:
        with pytest.raises(UpstreamError, match="broke off"):
            await harness.call("chat_completion", HELLO, "claude-sonnet-4-6")


async def test_silence_has_a_limit(claude: Claude) -> None:
    claude.faults.append(Stall(3))
    async with plugin(claude, timeout_s=1, max_retries=0) as harness:
        with pytest.raises(DeadlineExceeded, match="timeout_s"):
            await harness.call("chat_completion", HELLO, "claude-sonnet-4-6")


@pytest.mark.parametrize("stall", [Stall(4), Stall(None)])
async def test_a_caller_that_leaves_hangs_up(claude: Claude, stall: Stall) -> None:
    claude.faults.append(stall)
    async with plugin(claude) as harness:
        call = asyncio.create_task(harness.call("chat_completion", HELLO, "claude-sonnet-4-6"))
        while not claude.seen:
            await asyncio.sleep(0.01)
        call.cancel()
        assert await asyncio.to_thread(claude.left.wait, 5)


async def test_requests_go_through_a_proxy(claude: Claude) -> None:
    # A plain HTTP proxy is asked for the whole address.
    async with plugin(claude, base_url="http://claude.invalid", proxy=claude.url) as harness:
        await harness.call("chat_completion", HELLO, "claude-sonnet-4-6")
    assert claude.seen[0].headers["host"] == "claude.invalid"


async def test_what_cannot_be_an_address_is_no_configuration() -> None:
    for wrong in ({"base_url": "ftp://x"}, {"proxy": "http://[::1"}, {"base_url": "http://:80"}):
        with pytest.raises(ConfigError):
            await PluginHarness(FOLDER, {"api_key": KEY, **wrong}).__aenter__()
