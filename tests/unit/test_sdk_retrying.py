"""Repeating what a repeat can help."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from plugins_app.sdk import AuthFailed, NotReady, PluginError, UpstreamError, retried, retried_stream


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited, instead of waiting."""
    found: list[float] = []

    async def note(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("plugins_app.sdk.retrying.asyncio.sleep", note)
    return found


def failing(*errors: PluginError) -> list[PluginError]:
    return list(errors)


async def test_a_failure_worth_a_repeat_is_repeated_with_growing_pauses(waits: list[float]) -> None:
    errors = failing(UpstreamError("down", 500), UpstreamError("no connection"))

    async def attempt() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    assert await retried(attempt) == "done"
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1.0


async def test_the_upstream_says_how_long_to_wait(waits: list[float]) -> None:
    errors = failing(NotReady("busy", 7))

    async def attempt() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert await retried(attempt) == "done"
    assert 7 <= waits[0] <= 7.7


@pytest.mark.parametrize("error", [AuthFailed("no"), UpstreamError("bad", 400), NotReady("for an hour", 3600)])
async def test_what_no_repeat_helps_is_raised_at_once(waits: list[float], error: PluginError) -> None:
    async def attempt() -> None:
        raise error

    with pytest.raises(type(error)):
        await retried(attempt)
    assert waits == []


async def test_it_gives_up_after_so_many_repeats(waits: list[float]) -> None:
    async def attempt() -> None:
        raise UpstreamError("down", 503)

    with pytest.raises(UpstreamError):
        await retried(attempt, retries=3)
    assert len(waits) == 3


async def test_a_stream_is_begun_anew_only_while_nothing_has_come(waits: list[float]) -> None:
    starts: list[int] = []

    async def start() -> AsyncGenerator[int, None]:
        starts.append(len(starts))
        if len(starts) == 1:
            raise UpstreamError("down", 500)
        yield 1
        raise UpstreamError("cut off")

    items = []
    with pytest.raises(UpstreamError, match="cut off"):
        async for item in retried_stream(start):
            items.append(item)
    assert (items, len(starts), len(waits)) == ([1], 2, 1)


async def test_leaving_a_stream_closes_what_it_came_from(waits: list[float]) -> None:
    closed: list[bool] = []

    async def start() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    items = retried_stream(start)
    async for _ in items:
        break
    await items.aclose()
    assert closed == [True]
