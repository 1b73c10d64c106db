"""Plugins in memory, for the pipeline's only seam: `plan.Plugins`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Self

from aichat.chat.errors import ChatError
from aichat.chat.plan import ProgressFn
from plugins_app.sdk.answers import whole_answer

__all__ = ["FakePlugins", "Recorder", "call_chunk", "end_chunk", "text_chunk"]


def text_chunk(text: str, **delta: Any) -> dict[str, Any]:
    """A chunk that brings text."""
    return {"choices": [{"index": 0, "delta": {"content": text, **delta}, "finish_reason": None}]}


def call_chunk(index: int, call_id: str | None, name: str, arguments: str) -> dict[str, Any]:
    """A chunk that brings a piece of a tool call."""
    call: dict[str, Any] = {"index": index, "function": {"name": name, "arguments": arguments}}
    call |= {"id": call_id, "type": "function"} if call_id else {}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}


def end_chunk(reason: str = "stop", usage: dict[str, int] | None = None) -> dict[str, Any]:
    """The last chunk."""
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}


class Recorder:
    """Keeps the events of an answer."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, data: dict[str, Any]) -> None:
        self.events.append((name, data))

    def of(self, name: str) -> list[dict[str, Any]]:
        return [data for event, data in self.events if event == name]

    @property
    def text(self) -> str:
        return "".join(data["content"] for data in self.of("delta"))


class FakePlugins:
    """Answers with functions, by `(plugin_id, method)`; a provider's function returns its chunks, call by call."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        """`methods` are named `<plugin>__<method>`."""
        self.methods = methods
        self.calls: list[tuple[str, str, Sequence[Any]]] = []
        self.streams: list[FakeStream] = []
        self.released = 0

    def function(self, plugin_id: str, method: str) -> Callable[..., Any]:
        prefix = plugin_id.replace("-", "_")
        function = self.methods.get(f"{prefix}__{method}")
        streamed = self.methods.get(f"{prefix}__stream_completion")
        if function is None and method == "chat_completion" and streamed is not None:
            return lambda *args, **kwargs: _whole(streamed(*args, **kwargs))
        if function is None:
            raise ChatError("method_not_found", f"the plugin has no method {method}", plugin_id=plugin_id)
        return function

    async def call(
        self,
        plugin_id: str,
        method: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float,
        on_progress: ProgressFn | None = None,
    ) -> Any:
        self.calls.append((plugin_id, method, args))
        function = self.function(plugin_id, method)
        extra = {"progress": on_progress} if "progress" in inspect.signature(function).parameters else {}
        try:
            async with asyncio.timeout(timeout):
                outcome = function(*args, **(kwargs or {}), **extra)
                return await outcome if inspect.isawaitable(outcome) else outcome
        except TimeoutError:
            raise ChatError("deadline_exceeded", f"{method} took too long", plugin_id=plugin_id) from None

    def sticky(self) -> Self:
        return self

    def offers(self, plugin_id: str, method: str) -> bool:
        return f"{plugin_id.replace('-', '_')}__{method}" in self.methods

    def release(self) -> None:
        self.released += 1

    def stream(
        self, plugin_id: str, method: str, args: Sequence[Any], kwargs: dict[str, Any], *, timeout: float
    ) -> FakeStream:
        self.calls.append((plugin_id, method, args))
        stream = FakeStream(self.function(plugin_id, method), args, kwargs)
        self.streams.append(stream)
        return stream


class FakeStream:
    """One stream; `closed` is set when its block was left."""

    generation: int | None = 7

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self.messages, self.model = list(args[0]), args[1] if len(args) > 1 else None  # an export has no model
        self.kwargs = kwargs
        self.closed = False
        self._items: AsyncIterator[Any] = _items(function(*args, **kwargs))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.closed = True

    def batches(self) -> AsyncIterator[list[Any]]:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Any]:
        """A list among a provider's items is a batch."""
        item = await anext(self._items)
        return item if isinstance(item, list) else [item]


async def _whole(source: Any) -> dict[str, Any]:
    """What the SDK makes of a provider that only streams."""
    return await whole_answer(_items(source))


async def _items(source: Any) -> AsyncIterator[Any]:
    if hasattr(source, "__aiter__"):
        async for item in source:
            yield item
        return
    for item in source:
        yield item
