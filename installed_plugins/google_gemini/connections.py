"""HTTP connections that are closed when whoever reads an answer leaves, as the SDK does not do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import httpx2

__all__ = ["Connections"]

_opened: ContextVar[list[httpx2.Response] | None] = ContextVar("opened", default=None)


class Connections(httpx2.AsyncClient):
    """An httpx2 client that remembers which answers it has begun to read."""

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """Close what this task opens within, at the latest when it leaves."""
        mine: list[httpx2.Response] = []
        before = _opened.get()
        _opened.set(mine)
        try:
            yield
        finally:
            _opened.set(before)
            for response in mine:
                await response.aclose()

    async def send(self, request: httpx2.Request, **kwargs: Any) -> httpx2.Response:
        """As httpx2 does, and note it."""
        response = await super().send(request, **kwargs)
        if (mine := _opened.get()) is not None:
            mine.append(response)
        return response
