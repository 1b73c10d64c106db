"""HTTP connections that are closed when whoever reads an answer leaves, as the SDK does not do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import httpx

__all__ = ["Connections"]

_opened: ContextVar[list[httpx.Response] | None] = ContextVar("opened", default=None)


class Connections(httpx.AsyncClient):
    """An httpx client that remembers which answers it has begun to read."""

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """Close what this task opens within, at the latest when it leaves."""
        mine: list[httpx.Response] = []
        before = _opened.get()
        _opened.set(mine)
        try:
            yield
        finally:
            _opened.set(before)
            for response in mine:
                await response.aclose()

    async def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """As httpx does, and note it."""
        response = await super().send(request, **kwargs)
        if (mine := _opened.get()) is not None:
            mine.append(response)
        return response
