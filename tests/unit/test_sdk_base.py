"""What every plugin stands on: its classes, metadata, declared methods, errors, context, and the spec's names."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

import plugins_app.sdk as sdk
from plugins_app.sdk import (
    BasePlugin,
    ConfigError,
    Context,
    ExportPlugin,
    MiddlewarePlugin,
    NotReady,
    PluginError,
    PluginMetadata,
    PluginType,
    ProviderPlugin,
    Refused,
    ToolPlugin,
    UpstreamError,
    method,
)
from plugins_app.sdk.methods import LIFECYCLE_METHODS, TYPE_METHODS, MethodInfo, declared_methods


def metadata(**changes: Any) -> PluginMetadata:
    fields: dict[str, Any] = {
        "id": "my-plugin",
        "name": "Mine",
        "version": "1.0.0",
        "author": "Ada",
        "description": "Does it",
        "plugin_type": "tool",
    }
    return PluginMetadata(**fields | changes)


def test_the_public_names_are_these() -> None:
    assert sorted(sdk.__all__) == sdk.__all__
    assert set(sdk.__all__) == {
        *("BasePlugin", "ProviderPlugin", "ToolPlugin", "MiddlewarePlugin", "ExportPlugin"),
        *("PluginMetadata", "PluginType", "Limits", "Context", "Storage", "method"),
        *("PluginError", "ConfigError", "NotReady", "OldState", "AuthFailed", "UpstreamError", "PermissionDenied"),
        *("Cancelled", "DeadlineExceeded", "Refused", "retried", "retried_stream"),
    }
    assert all(getattr(sdk, name).__doc__ for name in sdk.__all__)


def test_the_specifications_names_are_the_same_objects_and_stay_out_of_the_way() -> None:
    code = (
        "from plugins_app.sdk import aliases; aliases.install(); aliases.install()\n"
        "from backend.plugins.base_plugin import BasePlugin, ProviderPlugin, PluginMetadata, PluginType\n"
        "import backend.plugins.base_plugin, plugins_app.sdk, sys\n"
        "assert BasePlugin is plugins_app.sdk.BasePlugin and backend.plugins.base_plugin is plugins_app.sdk\n"
        "assert plugins_app.sdk.__spec__.name == 'plugins_app.sdk'\n"
        "assert sum(type(finder).__name__ == '_AliasFinder' for finder in sys.meta_path) == 1\n"
        "assert 'django' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_sdk_needs_no_django() -> None:
    code = "import plugins_app.sdk, sys; sys.exit('django' in sys.modules or 'jsonschema' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_metadata_survives_the_way_through_json() -> None:
    before = metadata(tags=["a"], limits={"memory_mb": 64})
    data = before.to_dict()
    assert data["plugin_type"] == "tool"
    assert type(data["plugin_type"]) is str
    assert PluginMetadata.from_dict(data | {"from_a_newer_studio": 1}) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "My_Plugin"}, "lower-case words"),
        ({"id": "a" * 65}, "at most 64"),
        ({"version": "1.0"}, "not a semantic version"),
        ({"name": " "}, "name is empty"),
    ],
)
def test_metadata_says_what_is_wrong_with_it(changes: dict[str, Any], words: str) -> None:
    assert metadata().problems() == []
    assert [words in problem for problem in metadata(**changes).problems()] == [True]


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'toaster' is not one of provider, tool, middleware, export, ui"):
        metadata(plugin_type="toaster")


def test_config_is_read_only_and_a_constructor_without_super_is_fine() -> None:
    plugin = BasePlugin({"a": 1})
    assert (plugin.get_config("a"), plugin.get_config("b", 2)) == (1, 2)
    with pytest.raises(TypeError):
        plugin.config["a"] = 2  # type: ignore[index]

    class Forgetful(ToolPlugin):
        def __init__(self) -> None:
            self.ready = True

    assert Forgetful().get_config("a", "default") == "default"


async def test_a_plugin_is_ready_unless_it_says_otherwise() -> None:
    plugin = BasePlugin()
    assert await plugin.initialize() is True
    assert await plugin.validate_config() is True
    await plugin.shutdown()
    with pytest.raises(NotImplementedError, match=r"metadata.*plugin\.toml"):
        _ = plugin.metadata


async def test_a_provider_without_a_stream_wraps_its_answer() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    class Whole(ProviderPlugin):
        async def chat_completion(self, messages: list[dict[str, Any]], model: str, **kwargs: Any) -> dict[str, Any]:
            message = {"role": "assistant", "content": "hi", "tool_calls": [call]}
            return {"id": "1", "model": model, "choices": [{"message": message}], "usage": {"total_tokens": 3}}

    chunks = [chunk async for chunk in Whole().stream_completion([], "m")]
    assert [chunk["id"] for chunk in chunks] == ["1"] * 3
    assert chunks[0]["choices"][0]["delta"]["tool_calls"] == [{"index": 0} | call]
    assert chunks[1]["choices"][0]["finish_reason"] == "tool_calls"
    assert chunks[2] == {
        "id": "1",
        "model": "m",
        "object": "chat.completion.chunk",
        "choices": [],
        "usage": {"total_tokens": 3},
    }


async def test_what_a_type_must_have_says_so_when_it_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="ProviderPlugin does not implement chat_completion"):
        await ProviderPlugin().chat_completion([], "m")
    with pytest.raises(NotImplementedError, match="ToolPlugin does not implement execute"):
        await ToolPlugin().execute("a", {})
    with pytest.raises(NotImplementedError, match="ExportPlugin does not implement export"):
        await ExportPlugin().export({})
    assert await MiddlewarePlugin().before_request({"a": 1}) == {"a": 1}
    assert await MiddlewarePlugin().after_response({"a": 1}) == {"a": 1}
    assert ProviderPlugin().get_available_models() == ToolPlugin().get_actions() == []


def test_declared_are_the_methods_of_the_type_and_the_marked_ones() -> None:
    class Tool(ToolPlugin):
        @method(idempotent=True)
        def extra(self) -> None: ...

        @method()
        def _hidden(self) -> None: ...

        def helper(self) -> None: ...

    assert declared_methods(Tool, PluginType.TOOL) == {
        "execute": MethodInfo(),
        "get_actions": MethodInfo(idempotent=True),
        "extra": MethodInfo(idempotent=True),
    }
    assert "on_chunk" not in declared_methods(MiddlewarePlugin, PluginType.MIDDLEWARE)
    assert not LIFECYCLE_METHODS & {name for methods in TYPE_METHODS.values() for name in methods}


def test_errors_know_their_code_and_whether_a_repeat_can_help() -> None:
    errors = [getattr(sdk, name) for name in sdk.__all__ if name.endswith(("Error", "Failed", "Denied", "Exceeded"))]
    assert all(issubclass(error, PluginError) for error in errors)
    assert len({error.code for error in errors}) == len(errors)
    assert [UpstreamError("x", status).retryable for status in (None, 400, 429, 503)] == [True, False, True, True]
    assert NotReady(retry_after=3).details == {"retry_after": 3}
    refusal = Refused("enough for today", status=402, code="budget_exceeded")
    assert refusal.details == {"status": 402, "retry_after": None, "reason": "budget_exceeded"}
    with pytest.raises(ValueError, match="400, 402, 403 or 429"):
        Refused("x", status=500)  # type: ignore[arg-type]
    assert ConfigError("x", [{"pointer": "/a", "message": "b"}]).details["errors"][0]["pointer"] == "/a"


async def test_a_context_outside_a_studio_says_how_to_test() -> None:
    context = Context("dice")
    await context.progress(0.5, "half")
    assert (context.cancelled, context.user, context.logger.name) == (False, None, "plugin.dice")
    with pytest.raises(PluginError, match=r"sdk\.testing\.PluginHarness"):
        await context.storage.get("a")


def test_every_module_of_the_sdk_can_be_imported_alone() -> None:
    for name in ("base", "config", "context", "errors", "manifest", "metadata", "methods", "testing"):
        assert importlib.import_module(f"plugins_app.sdk.{name}").__all__


async def test_a_provider_that_streams_answers_at_once_too() -> None:
    class Streaming(ProviderPlugin):
        async def stream_completion(self, messages: Any, model: str, **kwargs: Any) -> AsyncIterator[dict[str, Any]]:
            call = {"index": 0, "id": "c", "function": {"name": "roll", "arguments": "{"}}
            for delta in ({"content": "Hel"}, {"content": "lo"}, {"reasoning_content": "hm"}, {"tool_calls": [call]}):
                yield {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
            more = {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}
            yield {"id": "1", "choices": [{"index": 0, "delta": more, "finish_reason": "tool_calls"}]}
            yield {"id": "1", "choices": [], "usage": {"total_tokens": 3}}

    answer = await Streaming().chat_completion([], "m")
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello",
                "reasoning_content": "hm",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "roll", "arguments": "{}"}}],
            },
            "finish_reason": "tool_calls",
        }
    ]
    assert answer["usage"] == {"total_tokens": 3}
