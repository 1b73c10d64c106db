"""Whatever a provider or a tool plugin says of itself or answers: a clear error or a use of what can be used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from aichat.chat.costs import cost_of
from aichat.chat.errors import ChatError
from aichat.chat.live import encode_event
from aichat.chat.middlewares import MiddlewareChain
from aichat.chat.parts import Collected, add_usage
from aichat.chat.plan import ChatRequest, Middleware, Tool
from aichat.chat.planning import Catalog
from aichat.chat.titles import first_words
from aichat.chat.tools import RESULT_LIMIT, ToolRunner
from aichat.chat.values import storable
from plugins_app.process.calls import error_frame
from plugins_app.sdk import PluginError, ProviderPlugin
from plugins_app.selectors.registry import ServingPlugin
from tests.unit.chat_fakes import FakePlugins, Recorder, call_chunk, end_chunk, text_chunk


def chunk(delta: Any, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta, **choice}]}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("plain text", "type str instead of a chunk"),
        (None, "None instead of a chunk"),
        ({}, "a dict with nothing in it"),
        ({"choices": [5]}, "a choice that is a value of type int"),
        (chunk([1]), "a message that is a value of type list"),
        (chunk({"content": [{"type": "text", "text": "x"}]}), "content is a value of type list"),
        (chunk({"reasoning_content": 5}), "reasoning_content is a value of type int"),
        (chunk({"tool_calls": "x"}), "tool_calls are no list of calls"),
        (chunk({"tool_calls": [{"function": {"name": 7}}]}), "tool_calls are no list of calls"),
        (chunk({}, finish_reason=3), "finish_reason that is a value of type int"),
        ({"choices": [{"message": {"content": "whole"}}]}, "a chunk has a delta"),
    ],
)
def test_what_is_no_chunk_is_said_to_be_none(bad: Any, words: str) -> None:
    with pytest.raises(ChatError, match=words) as caught:
        Collected().add(bad)
    assert caught.value.code == "provider_invalid"


@pytest.mark.parametrize(("piece", "chunks"), [("x" * 1_000_000, 30), ("x", 500_000)])
def test_an_answer_without_end_is_ended(piece: str, chunks: int) -> None:
    answer, chunk = Collected(), text_chunk(piece)
    with pytest.raises(ChatError, match="does not come to an end"):
        for _ in range(chunks):
            answer.add(chunk)


def test_counts_that_are_none_count_as_nothing() -> None:
    answer = Collected()
    answer.add({"choices": [], "usage": {"prompt_tokens": "many", "completion_tokens": 3.0, "total_tokens": -1}})
    assert add_usage(None, answer.usage) == {"prompt_tokens": 0, "completion_tokens": 3, "total_tokens": 3}


@pytest.mark.parametrize("indices", [(None, None), (0, 0), (0, 1)])
def test_two_calls_are_two_however_a_server_numbers_them(indices: tuple[int | None, int | None]) -> None:
    answer = Collected()
    for index, call_id in zip(indices, "ab", strict=True):
        answer.add(call_chunk(index, call_id, "add", '{"x":'))  # type: ignore[arg-type]
        if index != 0 or indices == (0, 1):
            answer.add(call_chunk(index, None, "", "1}"))  # type: ignore[arg-type]
    assert [(call["id"], call["function"]["name"]) for call in answer.tool_calls] == [("a", "add"), ("b", "add")]


def test_arguments_may_come_as_an_object_and_without_an_id() -> None:
    answer = Collected()
    answer.add(chunk({"tool_calls": [{"function": {"name": "add", "arguments": {"x": 1}}}]}))
    assert answer.tool_calls[0]["id"] == "call_0"
    assert answer.tool_calls[0]["function"]["arguments"] == '{"x": 1}'


async def test_a_middleware_that_returns_no_chunk_is_skipped_or_named() -> None:
    plugins = FakePlugins(
        odd__before_request=lambda request: request, odd__on_chunk=lambda chunk: {"choices": [{"delta": "x"}]}
    )
    request = ChatRequest("p/m", [{"role": "user", "content": "hi"}], {}, None)
    lenient = MiddlewareChain([Middleware("odd", on_error="skip")], plugins)
    await lenient.before(request)
    assert await lenient.chunks([text_chunk("a")]) == [text_chunk("a")]
    strict = MiddlewareChain([Middleware("odd")], plugins)
    await strict.before(request)
    with pytest.raises(ChatError, match="odd failed: its on_chunk returned"):
        await strict.chunks([text_chunk("a")])


class SyncStream(ProviderPlugin):
    def stream_completion(self, messages: Any, model: str, **kwargs: Any) -> Iterator[Any]:  # type: ignore[override]
        yield from (text_chunk("a"), text_chunk("b"), end_chunk())


class LateStream(ProviderPlugin):
    async def stream_completion(self, messages: Any, model: str, **kwargs: Any) -> Any:  # type: ignore[override]
        async def chunks() -> AsyncIterator[Any]:
            yield text_chunk("ab")

        return chunks()


@pytest.mark.parametrize("kind", [SyncStream, LateStream])
async def test_any_way_to_write_a_stream_answers_in_one_piece_too(kind: type[ProviderPlugin]) -> None:
    answer = await kind().chat_completion([], "m")
    assert answer["choices"][0]["message"]["content"] == "ab"


@pytest.mark.parametrize("answer", [None, "text", {}, {"choices": []}, {"choices": [{"message": None}]}])
async def test_what_is_no_completion_is_said_to_be_none(answer: Any) -> None:
    class Wrong(ProviderPlugin):
        async def chat_completion(self, messages: Any, model: str, **kwargs: Any) -> Any:
            return answer

    with pytest.raises(PluginError, match="chat_completion returned"):
        _ = [chunk async for chunk in Wrong().stream_completion([], "m")]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unspeakable(), "its text cannot be read"),
        (ValueError("x" * 5_000_000), "characters ...]"),
        (ValueError("a\ud800"), "a\\ud800"),
    ],
)
def test_any_exception_can_be_told(error: Exception, words: str) -> None:
    frame = error_frame(1, error)
    assert words in frame.message and len(frame.message) < 5_000
    assert frame.traceback is not None and len(frame.traceback) < 50_000


def serving(name: str, kind: str) -> ServingPlugin:
    return ServingPlugin(name, kind, 1, "d", {})


async def test_actions_that_cannot_be_offered_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    schemas: dict[str, Any] = {
        "text": "x",
        "a-list": {"type": "array"},
        "required": {"type": "object", "properties": {"a": {"type": "string", "required": True}}},
        "type": {"type": "object", "properties": {"a": {"type": "text"}}},
        "nested": {"type": "object", "properties": {"a": {"type": "array", "items": 5}}},
        "fine": {"properties": {"a": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/n"}]}}, "$defs": {"n": True}},
    }
    actions: list[Any] = [{"name": name, "parameters": schema} for name, schema in schemas.items()]
    actions += [5, {"name": 5}, {"name": "odd", "description": 5}, {"name": "bytes", "parameters": {"x": b""}}]
    plugins = FakePlugins(tool__get_actions=lambda: actions)
    tools = await Catalog().tools([serving("tool", "tool")], plugins)
    assert list(tools) == ["tool__fine"]
    assert tools["tool__fine"].to_openai()["function"]["parameters"]["type"] == "object"
    assert "parameters of a-list must be of type 'object'" in caplog.text and "required is True" in caplog.text


async def test_tools_whose_names_become_the_same_are_all_offered() -> None:
    names = ["a.b", "a b", "a.b", "x" * 70, "x" * 71]
    plugins = FakePlugins(tool__get_actions=lambda: [{"name": name} for name in names])
    tools = await Catalog().tools([serving("tool", "tool")], plugins)
    assert [tool.action for tool in tools.values()] == ["a.b", "a b", "x" * 70, "x" * 71]
    assert all(len(name) <= 64 for name in tools)


async def test_models_that_cannot_be_named_are_left_out() -> None:
    models: list[Any] = [{"id": "a", "created": float("nan")}, {"id": 5}, {"name": "b"}, "c", {"id": ""}]
    plugins = FakePlugins(p__get_available_models=lambda: models)
    assert [one["id"] for one in await Catalog().models([serving("p", "provider")], plugins)] == ["p/a"]


async def test_a_plugin_that_hangs_is_not_asked_again_by_the_next_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aichat.chat.planning._SLOW_S", 0.0)
    asked = 0

    async def hang() -> Any:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise ChatError("deadline_exceeded", "get_actions was not done")

    catalog, plugins = Catalog(), FakePlugins(tool__get_actions=hang)
    assert await catalog.tools([serving("tool", "tool")], plugins) == {}
    assert await catalog.tools([serving("tool", "tool")], plugins) == {}
    assert asked == 1


def nested(depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({1: 2, None: 3}, '{"1":2,"null":3}'),
        (b"\x00\xff", '{"base64":"AP8="}'),
        (float("nan"), "null"),
        (nested(400), "result_not_serializable"),
        ({(1, 2): 3}, "result_not_serializable"),
        ("x" * 200_000, "[cut: 100000 more characters]"),
    ],
)
async def test_any_result_of_a_tool_is_told_to_the_model(result: Any, told: str) -> None:
    events = Recorder()
    runner = ToolRunner({"t__a": Tool("t__a", "t", "a")}, FakePlugins(t__execute=lambda *args: result), events)
    call = {"id": "c", "type": "function", "function": {"name": "t__a", "arguments": "{}"}}
    [message] = await runner.run([call], frozenset({"t__a"}))
    assert told in message["content"]
    [event] = events.of("tool.result")
    assert len(encode_event("m", 1, "tool.result", event)) < RESULT_LIMIT + 1_000


async def test_whatever_counts_as_true_is_destructive() -> None:
    actions = [{"name": "a", "destructive": "yes"}, {"name": "b", "destructive": 0}, {"name": "c"}]
    tools = await Catalog().tools([serving("t", "tool")], FakePlugins(t__get_actions=lambda: actions))
    assert [tool.destructive for tool in tools.values()] == [True, False, False]


def test_what_databases_refuse_is_not_stored() -> None:
    told = {"a\x00": ["b\x00", float("inf"), {"c": 1.5}], "d": None}
    assert storable(told) == {"a": ["b", None, {"c": 1.5}], "d": None}
    assert cost_of({"cost": float("nan"), "prompt_tokens": 1}, None) is None
    assert first_words([{"role": "user", "content": "a\x00b"}]) == "ab"


@pytest.mark.parametrize("messages", [[], [1], [{"content": "x"}], "text"])
def test_a_middleware_cannot_return_messages_that_are_none(messages: Any) -> None:
    request = ChatRequest("p/m", [{"role": "user", "content": "hi"}], {}, None)
    with pytest.raises(ChatError) as caught:
        request.changed_to({"model": "p/m", "messages": messages})
    assert caught.value.code == "middleware_invalid"
