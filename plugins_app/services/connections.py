"""Database connections are few where a server gives them out: whoever waits for something else gives its own back.

SQLite's cost nothing and are kept (`CONN_MAX_AGE`). Within a transaction none of this does anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

__all__ = ["release_connection", "releasing_connection"]

P = ParamSpec("P")
T = TypeVar("T")


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
