"""The pipeline: middlewares, provider, tools, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aichat.chat.errors import ChatError
from aichat.chat.pipeline import MAX_TOOL_ROUNDS, Pipeline
from aichat.chat.plan import ChatRequest, Middleware, Plan, Provider, Tool
from tests.unit.chat_fakes import FakePlugins, Recorder, call_chunk, end_chunk, text_chunk

ADD = Tool("calc__add", "calc", "add", "Adds", {"type": "object"}, timeout=0.2)
ECHO = Tool("calc__echo", "calc", "echo", timeout=5)


def request(text: str = "hi", tools: tuple[Tool, ...] = ()) -> ChatRequest:
    params = {"tools": [tool.to_openai() for tool in tools]} if tools else {}
    return ChatRequest("echo/one", [{"role": "user", "content": text}], params, {"id": 1, "username": "ann"}, "c1")


def pipeline(plugins: FakePlugins, *middlewares: Middleware, tools: tuple[Tool, ...] = ()) -> tuple[Pipeline, Recorder]:
    recorder = Recorder()
    plan = Plan({"echo": Provider("echo", 7)}, middlewares, {tool.name: tool for tool in tools})
    return Pipeline(plan, plugins, recorder, answer_id="m1"), recorder


def says(*texts: str) -> Any:
    return lambda messages, model, **params: [*(text_chunk(text) for text in texts), end_chunk()]


class Rounds:
    """A provider that answers each call with the next list of chunks."""

    def __init__(self, *rounds: list[dict[str, Any]]) -> None:
        self.rounds = list(rounds)

    def __call__(self, messages: Any, model: str, **params: Any) -> list[dict[str, Any]]:
        return self.rounds.pop(0)


async def test_a_streamed_answer_is_shown_chunk_by_chunk_and_returned_whole() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    provider = Rounds([text_chunk("Hel"), text_chunk("lo", reasoning_content="hm"), end_chunk(usage=usage)])
    work, seen = pipeline(FakePlugins(echo__stream_completion=provider))
    response = await work.run(request())
    assert seen.events == [
        ("delta", {"content": "Hel"}),
        ("reasoning", {"content": "hm"}),
        ("delta", {"content": "lo"}),
    ]
    assert response["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hello", "reasoning_content": "hm"},
        "finish_reason": "stop",
    }
    assert (response["id"], response["usage"], work.generation) == ("m1", usage, 7)
    assert not work.content_was_changed


async def test_the_provider_gets_its_own_name_of_the_model_and_the_parameters() -> None:
    plugins = FakePlugins(echo__stream_completion=says("x"))
    work, _ = pipeline(plugins)
    asked = request()
    asked.model, asked.params = "echo/meta/llama", {"temperature": 0.5}
    await work.run(asked)
    assert (plugins.streams[0].model, plugins.streams[0].kwargs) == ("meta/llama", {"temperature": 0.5})
    assert plugins.streams[0].closed


async def test_middlewares_run_by_priority_on_the_way_in_and_in_reverse_on_the_way_out() -> None:
    order: list[str] = []

    def before(name: str) -> Any:
        def run(data: dict[str, Any]) -> dict[str, Any]:
            order.append(f"{name} in")
            message = {"role": "user", "content": data["messages"][0]["content"] + name}
            return data | {"messages": [message]}

        return run

    def after(name: str) -> Any:
        def run(response: dict[str, Any]) -> dict[str, Any]:
            order.append(f"{name} out")
            response["choices"][0]["message"]["content"] += name
            return response

        return run

    plugins = FakePlugins(
        echo__stream_completion=says("-"),
        a__before_request=before("a"),
        b__before_request=before("b"),
        a__after_response=after("a"),
        b__after_response=after("b"),
    )
    work, seen = pipeline(plugins, Middleware("b", priority=1), Middleware("a", priority=2))
    response = await work.run(request("hi"))
    assert order == ["b in", "a in", "a out", "b out"]
    assert plugins.streams[0].messages[0]["content"] == "hiba"
    assert response["choices"][0]["message"]["content"] == work.content == "-ab"
    assert work.content_was_changed and seen.text == "-"


async def test_a_middleware_sees_the_whole_request_and_cannot_change_who_asks() -> None:
    seen: list[dict[str, Any]] = []

    def before(data: dict[str, Any]) -> dict[str, Any]:
        seen.append(dict(data))
        return data | {"user": {"id": 99}, "conversation_id": "other"}

    plugins = FakePlugins(
        echo__stream_completion=says("x"),
        a__before_request=before,
        a__after_response=lambda r: r,
        b__before_request=before,
        b__after_response=lambda r: r,
    )
    work, _ = pipeline(plugins, Middleware("a", priority=1), Middleware("b", priority=2))
    await work.run(request())
    assert seen[0] == request().to_dict() | {"request_id": "m1"}
    assert (seen[1]["user"], seen[1]["conversation_id"]) == ({"id": 1, "username": "ann"}, "c1")


def broken(_: Any) -> Any:
    raise ChatError("plugin_raised", "ValueError: no")


@pytest.mark.parametrize("method", ["before_request", "after_response", "on_chunk"])
async def test_a_middleware_that_must_not_fail_fails_the_answer(method: str) -> None:
    methods = {"a__before_request": lambda r: r, "a__after_response": lambda r: r} | {f"a__{method}": broken}
    work, _ = pipeline(FakePlugins(echo__stream_completion=says("x"), **methods), Middleware("a", on_error="fail"))
    with pytest.raises(ChatError, match="The middleware a failed: ValueError: no") as caught:
        await work.run(request())
    assert (caught.value.code, caught.value.status, caught.value.plugin_id) == ("plugin_raised", 502, "a")


@pytest.mark.parametrize("method", ["before_request", "after_response", "on_chunk"])
@pytest.mark.parametrize("failure", [broken, lambda _: "not a dict"])
async def test_a_middleware_that_may_fail_is_skipped(method: str, failure: Any) -> None:
    methods = {"a__before_request": lambda r: r, "a__after_response": lambda r: r} | {f"a__{method}": failure}
    work, seen = pipeline(FakePlugins(echo__stream_completion=says("x"), **methods), Middleware("a", on_error="skip"))
    await work.run(request())
    assert work.content == seen.text == "x"


async def test_a_middleware_that_hangs_is_cut_off_at_its_time_limit() -> None:
    async def hang(_: Any) -> None:
        await asyncio.Event().wait()

    plugins = FakePlugins(echo__stream_completion=says("x"), a__before_request=hang)
    work, _ = pipeline(plugins, Middleware("a", timeout=0.01))
    with pytest.raises(ChatError) as caught:
        await work.run(request())
    assert caught.value.code == "deadline_exceeded"


async def test_on_chunk_changes_and_drops_chunks_and_gets_those_that_waited_as_one() -> None:
    got: list[str] = []

    async def shout(chunk: dict[str, Any]) -> dict[str, Any] | None:
        delta = chunk["choices"][0]["delta"]
        got.append(delta.get("content", ""))
        assert chunk["id"] == "m1"
        return None if delta.get("content") == "drop" else text_chunk(got[-1].upper())

    async def provider(messages: Any, model: str) -> AsyncIterator[Any]:
        yield text_chunk("drop")
        yield [text_chunk(letter) for letter in "abc"]

    methods = {"a__before_request": lambda r: r, "a__after_response": lambda r: r, "a__on_chunk": shout}
    work, seen = pipeline(FakePlugins(echo__stream_completion=provider, **methods), Middleware("a"))
    await work.run(request())
    assert (got, seen.text) == (["drop", "abc"], "ABC")


async def test_a_middleware_without_optional_hooks_is_never_asked_for_them() -> None:
    methods = {"a__before_request": lambda r: r, "a__after_response": lambda r: r}
    plugins = FakePlugins(echo__stream_completion=says("x", "y"), **methods)
    work, _ = pipeline(plugins, Middleware("a"))
    await work.run(request())
    asked = [method for plugin, method, _ in plugins.calls if plugin == "a"]
    assert asked == ["before_request", "after_response"]


async def test_a_middleware_says_of_one_answer_that_it_needs_no_chunks_and_only_it_goes_without() -> None:
    methods = {f"{name}__{hook}": lambda value: value for name in "ab" for hook in ("after_response", "on_chunk")}
    methods["a__before_request"] = lambda r: r | {"chunks": False}
    methods["b__before_request"] = lambda r: r | {"seen": r}
    plugins = FakePlugins(echo__stream_completion=says("x", "y"), **methods)
    work, seen = pipeline(plugins, Middleware("a", priority=1), Middleware("b", priority=2))
    await work.run(request())
    assert [plugin for plugin, method, _ in plugins.calls if method == "on_chunk"] == ["b", "b", "b"]
    assert seen.text == "xy"
    [[told]] = [args for plugin, method, args in plugins.calls if (plugin, method) == ("b", "before_request")]
    assert "chunks" not in told


async def test_tool_calls_are_put_together_from_pieces_run_and_told_to_the_provider() -> None:
    provider = Rounds(
        [
            text_chunk("Let me see. "),
            call_chunk(0, "c1", "calc__add", '{"a": 1'),
            call_chunk(1, "c2", "calc__echo", '{"text": "x"}'),
            call_chunk(0, None, "", ', "b": 2}'),
            end_chunk("tool_calls", {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}),
        ],
        [text_chunk("3"), end_chunk("stop", {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5})],
    )

    async def execute(action: str, parameters: dict[str, Any], progress: Any = None) -> Any:
        if action == "echo":
            progress(0.5, "half", None)
            return parameters["text"]
        return {"sum": parameters["a"] + parameters["b"]}

    plugins = FakePlugins(echo__stream_completion=provider, calc__execute=execute)
    work, seen = pipeline(plugins, tools=(ADD, ECHO))
    response = await work.run(request(tools=(ADD, ECHO)))
    assert seen.of("tool.call") == [
        {"id": "c1", "name": "calc__add", "plugin_id": "calc", "action": "add", "arguments": {"a": 1, "b": 2}},
        {"id": "c2", "name": "calc__echo", "plugin_id": "calc", "action": "echo", "arguments": {"text": "x"}},
    ]
    assert seen.of("tool.progress") == [{"id": "c2", "fraction": 0.5, "message": "half"}]
    assert sorted(seen.of("tool.result"), key=lambda data: data["id"]) == [
        {"id": "c1", "name": "calc__add", "result": {"sum": 3}},
        {"id": "c2", "name": "calc__echo", "result": "x"},
    ]
    told = plugins.streams[1].messages
    assert [message["role"] for message in told] == ["user", "assistant", "tool", "tool"]
    assert told[1]["tool_calls"][0]["function"] == {"name": "calc__add", "arguments": '{"a": 1, "b": 2}'}
    assert told[2] == {"role": "tool", "tool_call_id": "c1", "name": "calc__add", "content": '{"sum":3}'}
    assert told[3]["content"] == "x"
    assert response["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert (work.content, len(work.transcript)) == ("3", 3)


async def test_tools_of_one_round_run_at_the_same_time() -> None:
    both = asyncio.Barrier(2)

    async def execute(action: str, parameters: dict[str, Any]) -> str:
        await both.wait()
        return "met"

    provider = Rounds(
        [call_chunk(0, "c1", "calc__echo", ""), call_chunk(1, "c2", "calc__echo", "{}")], [text_chunk("ok")]
    )
    work, seen = pipeline(FakePlugins(echo__stream_completion=provider, calc__execute=execute), tools=(ECHO,))
    async with asyncio.timeout(5):
        await work.run(request(tools=(ECHO,)))
    assert [data["result"] for data in seen.of("tool.result")] == ["met", "met"]


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("calc__add", "{}", "deadline_exceeded"),
        ("calc__echo", "{}", "plugin_raised"),
        ("calc__nothing", "{}", "tool_not_found"),
        ("calc__add", "{not json", "arguments_invalid"),
        ("calc__add", "[1]", "arguments_invalid"),
    ],
)
async def test_a_tools_failure_is_told_to_the_model_which_goes_on(name: str, arguments: str, code: str) -> None:
    async def execute(action: str, parameters: dict[str, Any]) -> None:
        if action == "add":
            await asyncio.Event().wait()
        raise ChatError("plugin_raised", "ZeroDivisionError: division by zero")

    provider = Rounds([call_chunk(0, "c1", name, arguments)], [text_chunk("sorry")])
    plugins = FakePlugins(echo__stream_completion=provider, calc__execute=execute)
    work, seen = pipeline(plugins, tools=(ADD, ECHO))
    await work.run(request(tools=(ADD, ECHO)))
    assert seen.of("tool.result")[0]["error"]["code"] == code
    assert code in plugins.streams[1].messages[-1]["content"]
    assert work.content == "sorry"


async def test_a_tool_that_a_middleware_took_from_the_request_cannot_be_called() -> None:
    provider = Rounds([call_chunk(0, "c1", "calc__add", "{}")], [text_chunk("ok")])
    plugins = FakePlugins(
        echo__stream_completion=provider,
        calc__execute=lambda action, parameters: 1,
        a__before_request=lambda data: data | {"params": {"tools": []}},
        a__after_response=lambda response: response,
    )
    work, seen = pipeline(plugins, Middleware("a"), tools=(ADD,))
    await work.run(request(tools=(ADD,)))
    assert seen.of("tool.result")[0]["error"]["code"] == "tool_not_found"


async def test_the_tool_loop_is_bounded_and_the_last_round_is_offered_no_tools() -> None:
    def greedy(messages: Any, model: str, **params: Any) -> list[dict[str, Any]]:
        return [call_chunk(0, f"c{len(messages)}", "calc__add", "{}")] if "tools" in params else [text_chunk("enough")]

    plugins = FakePlugins(echo__stream_completion=greedy, calc__execute=lambda action, parameters: 1)
    work, seen = pipeline(plugins, tools=(ADD,))
    await work.run(request(tools=(ADD,)))
    assert len(seen.of("tool.call")) == MAX_TOOL_ROUNDS
    assert work.content == "enough"


async def test_a_model_that_never_stops_asking_for_tools_is_stopped() -> None:
    def mad(messages: Any, model: str, **params: Any) -> list[dict[str, Any]]:
        return [call_chunk(0, f"c{len(messages)}", "calc__add", "{}")]

    plugins = FakePlugins(echo__stream_completion=mad, calc__execute=lambda action, parameters: 1)
    work, _ = pipeline(plugins, tools=(ADD,))
    with pytest.raises(ChatError) as caught:
        await work.run(request(tools=(ADD,)))
    assert caught.value.code == "tool_rounds_exceeded"
    assert len(plugins.streams) == MAX_TOOL_ROUNDS + 1


async def test_without_tools_of_the_studio_a_call_goes_back_to_the_caller() -> None:
    provider = Rounds([call_chunk(0, "c1", "mine", "{}"), end_chunk("tool_calls")])
    work, _ = pipeline(FakePlugins(echo__stream_completion=provider))
    response = await work.run(request())
    assert response["choices"][0]["finish_reason"] == "tool_calls"
    assert response["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "mine"


async def test_a_provider_that_breaks_off_leaves_what_it_said() -> None:
    async def provider(messages: Any, model: str) -> AsyncIterator[dict[str, Any]]:
        yield text_chunk("Half an ")
        raise ChatError("plugin_crashed", "it died", plugin_id="echo")

    work, seen = pipeline(FakePlugins(echo__stream_completion=provider))
    with pytest.raises(ChatError) as caught:
        await work.run(request())
    assert caught.value.to_dict() == {
        "code": "plugin_crashed",
        "title": "The plugin's process crashed",
        "detail": "it died",
        "status": 502,
        "plugin_id": "echo",
    }
    assert work.content == seen.text == "Half an "


@pytest.mark.parametrize("chunk", ["text", {"no": "choices"}, {"choices": "x"}])
async def test_a_provider_that_streams_something_else_is_named_as_the_culprit(chunk: Any) -> None:
    plugins = FakePlugins(echo__stream_completion=lambda messages, model: [chunk])
    work, _ = pipeline(plugins)
    with pytest.raises(ChatError) as caught:
        await work.run(request())
    assert caught.value.code == "provider_invalid"
    assert plugins.streams[0].closed


async def test_an_unknown_provider_is_a_model_that_is_not_found() -> None:
    work, _ = pipeline(FakePlugins())
    asked = request()
    asked.model = "nobody/x"
    with pytest.raises(ChatError) as caught:
        await work.run(asked)
    assert (caught.value.code, caught.value.status) == ("model_not_found", 404)


@pytest.mark.parametrize("middlewares", [(), (Middleware("a"),)])
async def test_cancelling_reaches_the_provider_and_keeps_what_was_said(middlewares: tuple[Middleware, ...]) -> None:
    said = asyncio.Event()

    async def provider(messages: Any, model: str) -> AsyncIterator[dict[str, Any]]:
        yield text_chunk("So far")
        said.set()
        await asyncio.Event().wait()

    methods = {"a__before_request": lambda r: r, "a__on_chunk": lambda chunk: chunk}
    plugins = FakePlugins(echo__stream_completion=provider, **methods)
    work, seen = pipeline(plugins, *middlewares)
    task = asyncio.create_task(work.run(request()))
    await said.wait()
    while not seen.text:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert plugins.streams[0].closed
    assert work.content == "So far"
