"""Trying again what a repeat can help: with backoff, jitter, and the upstream's own `Retry-After`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from itertools import count
from typing import Any, TypeVar

from .errors import PluginError

__all__ = ["retried", "retried_stream"]

_T = TypeVar("_T")
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0


async def retried(attempt: Callable[[], Awaitable[_T]], *, retries: int = 2) -> _T:
    """The result of `attempt()`, begun anew up to `retries` times when it raises a `PluginError` that is `retryable`.

    Waits for as long as the error's `retry_after` says, else 0.5 s, 1 s, 2 s, ... with jitter. What would have to
    wait for more than 30 s is raised at once: whoever called decides.
    """
    for number in count():
        try:
            return await attempt()
        except PluginError as error:
            delay = _delay(error, number, retries)
            if delay is None:
                raise
        await asyncio.sleep(delay)
    raise AssertionError("unreachable")


async def retried_stream(
    start: Callable[[], AsyncGenerator[_T, None]], *, retries: int = 2
) -> AsyncGenerator[_T, None]:
    """The items of `start()`, begun anew as `retried` does, but only while no item has come."""
    for number in count():
        begun = False
        async with aclosing(start()) as items:
            try:
                async for item in items:
                    begun = True
                    yield item
                return
            except PluginError as error:
                delay = None if begun else _delay(error, number, retries)
                if delay is None:
                    raise
        await asyncio.sleep(delay)


def _delay(error: PluginError, number: int, retries: int) -> float | None:
    """How long to wait before the next attempt; None when there shall be none."""
    asked: Any = getattr(error, "retry_after", None) or 0.0
    if not error.retryable or number >= retries or asked > _LONGEST_DELAY:
        return None
    backoff = min(_FIRST_DELAY * 2**number, _LONGEST_DELAY) * random.uniform(0.5, 1.0)
    # Those who were sent away together shall not come back together.
    return float(max(asked * random.uniform(1.0, 1.1), backoff))
