"""Database connections are few where a server gives them out: whoever waits for something else gives its own back.

SQLite's cost nothing and are kept (`CONN_MAX_AGE`). Within a transaction none of this does anything.
A database that is being restarted is away for a second or two; `patiently` is for what may simply be done again.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from .errors import StudioError

__all__ = [
    "DATABASE_AWAY",
    "PATIENCE",
    "database_trouble",
    "impatiently",
    "is_disk_full",
    "patiently",
    "release_connection",
    "releasing_connection",
]

P = ParamSpec("P")
T = TypeVar("T")

#: What a query raises when the server is gone, and also while SQLite's one writer takes too long.
DATABASE_AWAY = (OperationalError, InterfaceError)
#: How long a request waits for a database that is being restarted, in seconds.
PATIENCE = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
_log = logging.getLogger(__name__)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether this, or what it came from, is that there is no room: on our disk, or on the database's."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(error, "sqlstate", "") == "53100":
            return True
        error = error.__cause__
    return False


def database_trouble(error: Exception) -> StudioError:
    """What to tell a client when a query could not be made."""
    if is_disk_full(error):
        return StudioError("disk_full", "There is no room left for the database: nothing can be stored.")
    return StudioError("unavailable", "The database cannot be used at the moment.", retry_after=1)


def release_connection() -> None:
    """Give this thread's connection back to the pool; the next query takes one again."""
    close_old_connections()


def releasing_connection(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, after which its thread may wait for long without a connection."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        finally:
            release_connection()

    return wrapped


@contextmanager
def impatiently() -> Iterator[None]:
    """Do not wait for a database that is away: there is something else to do then. (Only PostgreSQL's is ever away.)"""
    own: Any = connection
    patience = getattr(own, "patience", 0.0)
    own.patience = 0.0
    try:
        yield
    finally:
        own.patience = patience


def patiently(work: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """What `work()` returns, done again while the database is away, for `seconds` at most.

    Only for what may be done twice: when a connection breaks during a commit, nobody knows whether it was made.
    Within a transaction nothing can be repeated.
    """
    until, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        try:
            return work()
        except DATABASE_AWAY as error:
            if connection.in_atomic_block or is_disk_full(error) or time.monotonic() + pause > until:
                raise
            _log.debug("the database is away, trying again: %s", error)
        release_connection()
        time.sleep(pause)  # nobody tells when a database is back
        pause = min(pause * 2, _LONGEST_PAUSE)
