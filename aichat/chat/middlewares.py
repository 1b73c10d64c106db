"""The middleware plugins around an answer: in by priority, out in reverse."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from aichat.chat.errors import ChatError
from aichat.chat.parts import merged
from aichat.chat.plan import ChatRequest, Middleware, Plugins

__all__ = ["MiddlewareChain", "NoChunkHook"]

_log = logging.getLogger(__name__)
_ABSENT = frozenset({"method_not_found", "method_undeclared", "method_private"})

#: The generations known to have no `on_chunk`; learned from the first chunk, shared by all answers of a process.
NoChunkHook = set[tuple[str, int | None]]


class MiddlewareChain:
    """Runs the middlewares of one answer."""

    def __init__(self, middlewares: Sequence[Middleware], plugins: Plugins, no_chunk_hook: NoChunkHook) -> None:
        self._inwards = sorted(middlewares, key=lambda one: (one.priority, one.plugin_id))
        self._plugins = plugins
        self._no_chunk_hook = no_chunk_hook

    async def before(self, request: ChatRequest) -> ChatRequest:
        """The request as it leaves the last middleware."""
        for middleware in self._inwards:
            try:
                changed = await self._call(middleware, "before_request", request.to_dict())
                request = request.changed_to(_dict(changed, "before_request"))
            except ChatError as error:
                _skip_or_raise(middleware, error)
        return request

    async def after(self, response: dict[str, Any]) -> dict[str, Any]:
        """The response as it leaves the first middleware."""
        for middleware in reversed(self._inwards):
            try:
                changed = _dict(await self._call(middleware, "after_response", response), "after_response")
                _content_of(changed)
                response = changed
            except ChatError as error:
                _skip_or_raise(middleware, error)
        return response

    async def chunks(self, source: AsyncIterator[dict[str, Any]]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks that are left when the middlewares with an `on_chunk` have seen them."""
        if not self._lookers():
            async for chunk in source:
                yield chunk
            return
        async with aclosing(merged(source)) as larger:
            async for chunk in larger:
                changed = await self._on_chunk(chunk)
                if changed is not None:
                    yield changed

    def _lookers(self) -> list[Middleware]:
        """Outwards, so in reverse like the answers."""
        return [one for one in reversed(self._inwards) if (one.plugin_id, one.generation) not in self._no_chunk_hook]

    async def _on_chunk(self, chunk: dict[str, Any]) -> dict[str, Any] | None:
        for middleware in self._lookers():
            try:
                changed = await self._call(middleware, "on_chunk", chunk)
                if changed is None:
                    return None
                chunk = _dict(changed, "on_chunk")
            except ChatError as error:
                if error.code in _ABSENT:
                    self._no_chunk_hook.add((middleware.plugin_id, middleware.generation))
                else:
                    _skip_or_raise(middleware, error)
        return chunk

    async def _call(self, middleware: Middleware, method: str, value: dict[str, Any]) -> Any:
        return await self._plugins.call(middleware.plugin_id, method, [value], timeout=middleware.timeout)


def _dict(value: Any, method: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ChatError("middleware_invalid", f"its {method} returned {type(value).__name__}, not a dict")
    return value


def _content_of(response: dict[str, Any]) -> None:
    try:
        response["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise ChatError("middleware_invalid", "its after_response returned no choices[0].message") from error


def _skip_or_raise(middleware: Middleware, error: ChatError) -> None:
    if error.refusal:
        raise error
    if middleware.on_error == "skip":
        _log.warning("middleware %s failed and is skipped: %s: %s", middleware.plugin_id, error.code, error.detail)
        return
    raise ChatError(
        error.code,
        f"The middleware {middleware.plugin_id} failed: {error.detail}",
        status=error.status,
        retry_after=error.retry_after,
        plugin_id=middleware.plugin_id,
    ) from error
