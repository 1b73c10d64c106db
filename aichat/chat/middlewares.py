"""The middleware plugins around one call of a provider: in by priority, out in reverse."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from aichat.chat.errors import ChatError
from aichat.chat.parts import merged
from aichat.chat.plan import ChatRequest, Middleware, Plugins, Sticky
from plugins_app.sdk.answers import chunk_problem, completion_problem

__all__ = ["MiddlewareChain"]

_log = logging.getLogger(__name__)
_ABSENT = frozenset({"method_not_found", "method_undeclared", "method_private"})


class MiddlewareChain:
    """Runs the middlewares of one call: until it is released, each answers in the same generation."""

    def __init__(self, middlewares: Sequence[Middleware], plugins: Plugins) -> None:
        self._inwards = sorted(middlewares, key=lambda one: (one.priority, one.plugin_id))
        self._outwards: list[Middleware] = []
        self._watching: list[Middleware] = []
        self._calls: Sticky | None = plugins.sticky() if self._inwards else None

    def release(self) -> None:
        """Nothing more is asked about this call."""
        if self._calls is not None:
            self._calls.release()

    async def before(self, request: ChatRequest) -> tuple[ChatRequest, dict[str, Any] | None]:
        """The request as it leaves the last middleware, or with the response of the one that knew it already."""
        for middleware in self._inwards:
            changed: dict[str, Any] = {}
            try:
                changed = _dict(await self._call(middleware, "before_request", request.to_dict()), "before_request")
                request, response = request.changed_to(changed), changed.get("response")
                if response is not None:
                    return request, _checked(_dict(response, "before_request's response"))
            except ChatError as error:
                _skip_or_raise(middleware, error)
            self._outwards.insert(0, middleware)
            if changed.get("chunks") is not False and self._offers(middleware, "on_chunk"):
                self._watching.insert(0, middleware)
        return request, None

    async def after(self, response: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """The response as it leaves the first middleware. Each is told `facts` besides, which nobody else gets."""
        while self._outwards:
            middleware = self._outwards.pop(0)
            try:
                told = _dict(await self._call(middleware, "after_response", response | facts), "after_response")
                response = response | _checked(
                    {name: told[name] for name in told if name not in facts and name != "id"}
                )
            except ChatError as error:
                _skip_or_raise(middleware, error)
        return response

    @property
    def minds_the_end(self) -> bool:
        """Whether a middleware wants to know how the call ends, however it ends."""
        return any(self._offers(one, "on_unfinished") for one in self._outwards)

    async def unfinished(self, response: dict[str, Any]) -> None:
        """Tell those who have not seen the whole answer that there is none. What goes wrong there harms nobody."""
        for middleware in [one for one in self._outwards if self._offers(one, "on_unfinished")]:
            try:
                await self._call(middleware, "on_unfinished", response)
            except ChatError as error:
                _log.warning("on_unfinished of %s failed: %s: %s", middleware.plugin_id, error.code, error.detail)

    @property
    def looks_at_chunks(self) -> bool:
        """Whether a middleware has an `on_chunk` and wants this answer's."""
        return bool(self._watching)

    async def chunks(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is left of these chunks when the middlewares have seen them; text that came together is one chunk."""
        if not self.looks_at_chunks:
            return batch
        seen = [await self._on_chunk(chunk) for chunk in merged(batch)]
        return [chunk for chunk in seen if chunk is not None]

    async def _on_chunk(self, chunk: dict[str, Any]) -> dict[str, Any] | None:
        for middleware in self._watching:
            try:
                changed = await self._call(middleware, "on_chunk", chunk)
                if changed is None:
                    return None
                if problem := chunk_problem(changed):
                    raise ChatError("middleware_invalid", f"its on_chunk returned {problem}")
                chunk = changed
            except ChatError as error:
                if error.code not in _ABSENT:  # its process died, and the one after it has no such method
                    _skip_or_raise(middleware, error)
        return chunk

    def _offers(self, middleware: Middleware, method: str) -> bool:
        return self._calls is not None and self._calls.offers(middleware.plugin_id, method)

    async def _call(self, middleware: Middleware, method: str, value: dict[str, Any]) -> Any:
        assert self._calls is not None  # there is a middleware
        return await self._calls.call(middleware.plugin_id, method, [value], timeout=middleware.timeout)


def _dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ChatError("middleware_invalid", f"its {what} returned {type(value).__name__}, not a dict")
    return value


def _checked(response: dict[str, Any]) -> dict[str, Any]:
    if problem := completion_problem(response):
        raise ChatError("middleware_invalid", f"it returned {problem}")
    return response


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
