"""The classes a plugin derives from. Every method may be sync or async; a sync one runs in a thread."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any

from .answers import completion_problem, whole_answer
from .context import Context
from .errors import PluginError
from .metadata import PluginMetadata
from .state import OldState, state_of

__all__ = ["BasePlugin", "ExportPlugin", "MiddlewarePlugin", "ProviderPlugin", "ToolPlugin"]

_NO_CONFIG: Mapping[str, Any] = MappingProxyType({})


class BasePlugin:
    """What every plugin is. One instance lives in a process of its own, from `initialize` to `shutdown`.

    `config` is frozen for the life of the instance: a changed configuration is a new instance.
    """

    # On the class, so that a plugin whose __init__ forgets super().__init__() works all the same.
    _config: Mapping[str, Any] = _NO_CONFIG
    _context: Context = Context()
    _metadata: PluginMetadata | None = None

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self._config = MappingProxyType(dict(config or {}))

    @property
    def metadata(self) -> PluginMetadata:
        """Who this plugin is. A plugin with a `plugin.toml` need not write it again."""
        if self._metadata is None:
            raise NotImplementedError(f"{type(self).__name__} needs a `metadata` property or a plugin.toml")
        return self._metadata

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration: defaults, the folder's config.json and what the operator set, merged; read-only."""
        return self._config

    @property
    def context(self) -> Context:
        """The studio, seen from this plugin."""
        return self._context

    def get_config(self, key: str, default: Any = None) -> Any:
        """One value of the configuration."""
        return self._config.get(key, default)

    async def initialize(self) -> bool:
        """Get ready to serve. False or an exception means: not loaded, with that as the reason."""
        return True

    async def shutdown(self) -> None:
        """Release what `initialize` took. Calls in flight have ended before."""

    def export_state(self) -> Any:
        """What the next generation's `migrate_state` gets, as a mapping of plain data; may be async.

        By default every attribute of the instance that is plain data.
        """
        return state_of(self)

    def migrate_state(self, old: OldState) -> Any:
        """Take over what the generation before left; runs after `initialize` and before the swap. May be async.

        Called only where a plugin defines it and another generation was serving. Raising means: not loaded, and the
        old generation goes on.
        """

    async def validate_config(self) -> bool:
        """Check what a schema cannot say. False or a ConfigError means: not loaded."""
        return True


class ProviderPlugin(BasePlugin):
    """Models to talk to. Messages, answers and chunks have the shapes of OpenAI's chat completions."""

    # What returns Any here may be written with or without `async`.
    def chat_completion(self, messages: list[dict[str, Any]], model: str, **kwargs: Any) -> Any:
        """Answer at once: ``{"choices": [{"message": ..., "finish_reason": ...}], "usage": ...}``.

        By default what `stream_completion` adds up to. A plugin implements at least one of the two.
        """
        if type(self).stream_completion is ProviderPlugin.stream_completion:
            raise NotImplementedError(f"{type(self).__name__} does not implement chat_completion")
        return self._collected(messages, model, kwargs)

    async def _collected(self, messages: list[dict[str, Any]], model: str, params: dict[str, Any]) -> dict[str, Any]:
        chunks: Any = self.stream_completion(messages, model, **params)
        if inspect.isawaitable(chunks):
            chunks = await chunks
        if not isinstance(chunks, AsyncIterable):
            chunks = _from_thread(iter(chunks))
        if not isinstance(chunks, AsyncGenerator):
            return await whole_answer(chunks)
        async with aclosing(chunks):  # a caller that goes away stops the stream at once
            return await whole_answer(chunks)

    async def stream_completion(
        self, messages: list[dict[str, Any]], model: str, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Answer in chunks: ``{"choices": [{"delta": ..., "finish_reason": None}]}``; by default one of everything."""
        if inspect.iscoroutinefunction(self.chat_completion):
            answer = await self.chat_completion(messages, model, **kwargs)
        else:  # a sync one must not hold up the plugin's other calls
            answer = await asyncio.to_thread(self.chat_completion, messages, model, **kwargs)
        for chunk in chunks_of(answer):
            yield chunk

    def get_available_models(self) -> Any:
        """The models: ``[{"id", "name", "description", "context_window", "max_tokens"}]``. May be async.

        Optional: ``capabilities``, ``pricing`` and ``kind``; a provider of embeddings also has
        ``embed(texts, model, **params) -> {"data": [[float, ...], ...], "usage": ...}``.
        """
        return []


class ToolPlugin(BasePlugin):
    """Something a model or a program can use."""

    def execute(self, action: str, parameters: dict[str, Any]) -> Any:
        """Do it. An async generator's items are progress, the last one is the result."""
        raise NotImplementedError(f"{type(self).__name__} does not implement execute")

    def get_actions(self) -> Any:
        """The actions: ``[{"name", "description", "parameters": JSON Schema, "destructive": bool}]``.

        Optional: ``title``, and ``timeout_s`` for an action's own time limit. Asked again every half minute.
        """
        return []


class MiddlewarePlugin(BasePlugin):
    """A look at every chat request and answer on its way. Two hooks are optional, and cost nothing when left out.

    ``async on_chunk(chunk)`` returns each chunk of a stream, None drops it. ``async on_unfinished(response)`` is called
    instead of `after_response` when the answer ended early: cancelled, or failed. What it returns is not looked at.
    """

    #: Lower is first on the way in and last on the way out. `plugin.toml` wins over this.
    priority: int = 100
    #: What happens to the request when this middleware fails: "fail" or "skip".
    on_error: str = "fail"

    async def before_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request that goes on: ``{"model", "messages", "params"}``, and who asks, why and where.

        With a ``"response"`` in it (a chat completion) it goes nowhere: that is the answer. With ``"chunks": False``
        this one answer is kept from `on_chunk`. Raise `Refused` to say no.
        """
        return request

    async def after_response(self, response: dict[str, Any]) -> dict[str, Any]:
        """The answer that goes back, in OpenAI's shape; besides it ``request``, ``cost`` and ``duration_ms``."""
        return response


class ExportPlugin(BasePlugin):
    """A format in which a conversation leaves the studio."""

    def export(self, data: Any, output_path: str | None = None) -> Any:
        """The file's content; `data` is ``{"title", "created_at", "messages": [...]}``.

        An async generator of bytes is streamed to whoever downloads the file; other callers get it in one piece.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement export")

    def get_file_extension(self) -> str:
        """Such as ".md"."""
        return ".bin"

    def get_media_type(self) -> str:
        """Such as "text/markdown"."""
        return "application/octet-stream"


async def _from_thread(items: Iterator[Any]) -> AsyncGenerator[Any, None]:
    """What a sync generator yields; it may block."""
    end = object()
    while (item := await asyncio.to_thread(next, items, end)) is not end:
        yield item


def chunks_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A whole chat completion as the chunks a stream would have brought.

    Raises:
        PluginError: it is none.
    """
    if problem := completion_problem(answer):
        raise PluginError(f"chat_completion returned {problem}")
    common = {key: answer[key] for key in ("id", "created", "model") if key in answer}
    common["object"] = "chat.completion.chunk"
    chunks: list[dict[str, Any]] = []
    for choice in answer["choices"]:
        index, message = choice.get("index", 0), dict(choice["message"])
        calls = [{"index": i} | call for i, call in enumerate(message.get("tool_calls") or [])]
        if calls:
            message["tool_calls"] = calls
        finish = choice.get("finish_reason") or ("tool_calls" if calls else "stop")
        chunks.append(common | {"choices": [{"index": index, "delta": message, "finish_reason": None}]})
        chunks.append(common | {"choices": [{"index": index, "delta": {}, "finish_reason": finish}]})
    if answer.get("usage") is not None:
        chunks.append(common | {"choices": [], "usage": answer["usage"]})
    return chunks


def file_of(pieces: list[Any]) -> Any:
    """What an export plugin's generator brought, as the one file it is; what is not of bytes stays a list."""
    return b"".join(pieces) if all(isinstance(piece, bytes) for piece in pieces) else pieces
