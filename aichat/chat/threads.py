"""Where a chat's few database queries run: threads of their own, so that Django's views never wait for a chat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection

__all__ = ["DatabaseThreads"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DatabaseThreads:
    """Runs functions that use the ORM, off the event loop."""

    def __init__(self, size: int = 4) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="chat-db")

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call `function` in one of the threads and wait for what it returns or raises."""
        call = partial(_with_connection, partial(function, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def close(self) -> None:
        """Wait for what runs and end the threads, their connections with them."""
        self._pool.shutdown(wait=True)


def _with_connection(function: Callable[[], _T]) -> _T:
    try:
        return function()
    finally:
        # SQLite's is kept: there is no server to lose it, and closing the last one makes SQLite tidy up its log.
        if connection.vendor != "sqlite":
            close_old_connections()
