"""Where a chat's few database queries run: threads of their own, so that Django's views never wait for a chat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from plugins_app.services.connections import patiently

__all__ = ["DatabaseThreads"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DatabaseThreads:
    """Runs functions that use the ORM, off the event loop. They are run again while the database is being restarted."""

    def __init__(self, size: int = 4) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="chat-db")
        self._connections: set[BaseDatabaseWrapper] = set()

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call `function`, which must be good to call again, in one of the threads; wait for what it returns."""
        call = partial(self._with_connection, partial(function, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def _with_connection(self, function: Callable[[], _T]) -> _T:
        own = connections[DEFAULT_DB_ALIAS]
        if own not in self._connections:
            own.inc_thread_sharing()  # so that `close` may close it: a thread pool tells nobody when its threads end
            self._connections.add(own)
        try:
            return patiently(function)
        finally:
            # SQLite's is kept: there is no server to lose it, and closing the last one makes SQLite tidy up its log.
            if own.vendor != "sqlite":
                own.close_if_unusable_or_obsolete()

    def close(self) -> None:
        """Wait for what runs and end the threads, their connections with them."""
        self._pool.shutdown(wait=True)
        for connection in self._connections:
            connection.close()
