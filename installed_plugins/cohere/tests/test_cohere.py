"""The cohere plugin with the vendor's own SDK, against a server that speaks the vendor's format."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

# Before pytest imports the plugin's own package, which it calls by its folder's name alone.
import cohere
import pytest

from plugins_app.sdk import AuthFailed, DeadlineExceeded, NotReady, PluginError, UpstreamError
from plugins_app.sdk.testing import PluginHarness
from tests.vendors.command import Command
from tests.vendors.server import KEY, Cut, Garbage, Stall, Status

FOLDER = Path(__file__).parents[1]
MODEL = "command-a-03-2025"
HELLO = [{"role": "user", "content": "hello"}]
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


@pytest.fixture
async def command() -> AsyncIterator[Command]:
    server = Command()
    async with server.running():
        yield server


def plugin(server: Command, **config: Any) -> PluginHarness:
    return PluginHarness(FOLDER, {"api_key": KEY, "base_url": server.url, **config})


async def answer(
    server: Command, messages: list[dict[str, Any]] = HELLO, model: str = MODEL, **params: Any
) -> dict[str, Any]:
    async with plugin(server) as harness:
        result: dict[str, Any] = await harness.call("chat_completion", messages, model, **params)
        return result


async def test_an_answer_streams_and_is_counted(command: Command) -> None:
    async with plugin(command) as harness:
        chunks = [chunk async for chunk in harness.stream("stream_completion", HELLO, MODEL)]
    text = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    assert "".join(filter(None, text)) == "You said: hello"
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": 7,
        "total_tokens": 19,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    assert command.seen[0].headers["x-fern-sdk-version"] == cohere.__version__


async def test_parameters_are_coheres(command: Command) -> None:
    messages = [{"role": "developer", "content": "be kind"}, *HELLO]
    await answer(command, messages, temperature=0.5, top_p=1, seed=3, max_tokens=99, stop="END", presence_penalty=-1)
    assert command.last == {
        "model": MODEL,
        "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "p": 0.99,
        "seed": 3,
        "max_tokens": 99,
        "presence_penalty": 0.0,
        "stop_sequences": ["END"],
        "stream": True,
    }


async def test_tools_go_both_ways_under_names_that_cohere_takes(command: Command) -> None:
    tools = [tool("date-time__now"), tool("date_time__now")]
    first = await answer(command, tools=tools, tool_choice="required")
    choice = first["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["reasoning_content"] == "I will look."
    calls = [call["function"] for call in choice["message"]["tool_calls"]]
    assert calls[0] == {"name": "date-time__now", "arguments": '{"expression": "6*7"}'}
    assert calls[1]["arguments"] == "{}"
    names = [each["function"]["name"] for each in command.last["tools"]]
    assert names == ["date_time__now", "date_time__now_again1"]
    assert command.last["tool_choice"] == "REQUIRED"

    result = {"role": "tool", "tool_call_id": "call_0", "content": "42"}
    second = await answer(command, [*HELLO, choice["message"], result], tools=tools)
    assert second["choices"][0]["message"]["content"] == "You said: 42"
    said = command.last["messages"][1]
    assert said["tool_plan"] == "I will look."
    assert said["tool_calls"][0]["function"]["name"] == "date_time__now"


async def test_a_named_tool_is_the_only_one(command: Command) -> None:
    choice = {"type": "function", "function": {"name": "b"}}
    await answer(command, tools=[tool("a"), tool("b")], tool_choice=choice)
    assert [each["function"]["name"] for each in command.last["tools"]] == ["b"]
    assert command.last["tool_choice"] == "REQUIRED"


async def test_images_are_sent(command: Command) -> None:
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    got = await answer(command, [{"role": "user", "content": parts}])
    assert got["choices"][0]["message"]["content"] == "You said: see <data:image/png>"
    with pytest.raises(PluginError, match="not a part of type 'input_audio'"):
        await answer(command, [{"role": "user", "content": [{"type": "input_audio"}]}])


async def test_only_models_that_think_are_told_how_much(command: Command) -> None:
    got = await answer(command, model="command-a-reasoning-08-2025", reasoning_effort="low")
    assert got["choices"][0]["message"]["reasoning_content"] == "Let me think."
    assert command.last["thinking"] == {"type": "enabled", "token_budget": 1024}
    await answer(command, model=MODEL, reasoning_effort="low")
    assert "thinking" not in command.last


async def test_an_answer_can_have_a_schema(command: Command) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "required": ["n"]}}}
    await answer(command, response_format=form)
    assert command.last["response_format"] == {"type": "json_object", "json_schema": form["json_schema"]["schema"]}
    await answer(command, response_format=form, tools=[tool("a")])
    assert "response_format" not in command.last


async def test_any_number_of_texts_becomes_vectors(command: Command) -> None:
    async with plugin(command) as harness:
        found = await harness.call("embed", ["a" * n for n in range(100)], "embed-v4.0", dimensions=256)
    assert [vector[0] for vector in found["data"]] == list(range(100))
    assert found["usage"] == {"prompt_tokens": 100, "total_tokens": 100}
    assert len(command.seen) == 2
    assert command.last["output_dimension"] == 256


async def test_the_models_come_from_the_api_and_are_kept(command: Command) -> None:
    async with plugin(command) as harness:
        models = {model["id"]: model for model in await harness.call("get_available_models")}
        assert await harness.call("get_available_models")
    assert [seen.path for seen in command.seen] == ["/v1/models"]
    assert set(models) == {MODEL, "command-a-reasoning-08-2025", "embed-v4.0"}
    assert models[MODEL]["context_window"] == 256_000
    assert models[MODEL]["capabilities"] == ["tools", "json"]
    assert models[MODEL]["pricing"] == {"prompt": 2.5, "completion": 10.0}
    assert models["embed-v4.0"]["kind"] == "embedding"


async def test_without_the_api_there_is_a_list_too(command: Command) -> None:
    command.faults.append(Garbage("<html>", "text/html"))
    async with plugin(command, models=["mine", MODEL]) as harness:
        assert [model["id"] for model in await harness.call("get_available_models")] == [MODEL, "mine"]


async def test_a_busy_api_is_asked_again_when_it_says_so(command: Command) -> None:
    command.faults.extend([Status(429, {"Retry-After": "0.3"}), Status(503)])
    got = await answer(command)
    assert got["choices"][0]["message"]["content"] == "You said: hello"
    times = [seen.at for seen in command.seen]
    assert len(times) == 3
    assert times[1] - times[0] >= 0.3


async def test_a_busy_api_is_told_of_when_it_stays_busy(command: Command) -> None:
    command.faults.append(Status(429, {"Retry-After": "3600"}))
    with pytest.raises(NotReady) as caught:
        await answer(command)
    assert caught.value.retry_after == 3600
    command.faults.append(Status(500))
    async with plugin(command, max_retries=0) as harness:
        with pytest.raises(UpstreamError, match="500") as failed:
            await harness.call("embed", ["a"], "embed-v4.0")
    assert failed.value.status == 500


async def test_a_bad_request_is_not_repeated(command: Command) -> None:
    command.faults.append(Status(422))
    with pytest.raises(UpstreamError, match="as asked by the test"):
        await answer(command)
    assert len(command.seen) == 1


async def test_a_bad_key_is_told_without_the_key(command: Command) -> None:
    async with plugin(command, api_key="wrong-secret") as harness:
        with pytest.raises(AuthFailed) as caught:
            await harness.call("chat_completion", HELLO, MODEL)
    assert "wrong-secret" not in str(caught.value)
    assert len(command.seen) == 1


@pytest.mark.parametrize("fault", [Cut(3), Garbage(), Garbage("data: [1]\n\n"), Garbage("<html>", "text/html")])
async def test_a_broken_stream_ends_with_an_error(command: Command, fault: Cut | Garbage) -> None:
    command.faults.append(fault)
    async with plugin(command, max_retries=0) as harness:
        with pytest.raises(UpstreamError):
            await harness.call("chat_completion", HELLO, MODEL)


async def test_silence_has_a_limit(command: Command) -> None:
    command.faults.append(Stall(3))
    async with plugin(command, timeout_s=1, max_retries=0) as harness:
        with pytest.raises(DeadlineExceeded, match="timeout_s"):
            await harness.call("chat_completion", HELLO, MODEL)


@pytest.mark.parametrize("stall", [Stall(4), Stall(None)])
async def test_a_caller_that_leaves_hangs_up(command: Command, stall: Stall) -> None:
    command.faults.append(stall)
    async with plugin(command) as harness:
        call = asyncio.create_task(harness.call("chat_completion", HELLO, MODEL))
        while not command.seen:
            await asyncio.sleep(0.01)
        call.cancel()
        assert await asyncio.to_thread(command.left.wait, 5)


async def test_requests_go_through_a_proxy(command: Command) -> None:
    # A plain HTTP proxy is asked for the whole address.
    async with plugin(command, base_url="http://command.invalid", proxy=command.url) as harness:
        await harness.call("chat_completion", HELLO, MODEL)
    assert command.seen[0].headers["host"] == "command.invalid"
