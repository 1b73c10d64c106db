"""Counters of plugins: atomic, in windows, without a thread on an event loop; and a Redis that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from plugins_app import runtime
from plugins_app.services.counters import counter_add, counter_add_async
from plugins_app.services.errors import StudioError
from tests.valkey import Valkey

HOUR = 3600


@pytest.fixture(autouse=True)
async def closed(redis_server: str) -> AsyncIterator[None]:
    yield
    await runtime.close_async()


@pytest.fixture
def own_redis(tmp_path: Path, settings: Settings, owned_processes: set[int]) -> Iterator[Valkey]:
    server = Valkey(tmp_path, owned_processes.add)
    server.start()
    settings.REDIS_URL = server.url
    yield server
    server.stop()


def fresh() -> dict[str, Any]:
    return {"plugin_id": f"p{uuid4().hex}", "name": "asked"}


@pytest.mark.allow_leaks("descriptor")  # the process keeps its connections to Redis, one for each thread at a time
async def test_additions_at_once_from_the_loop_and_from_a_thread_are_all_counted() -> None:
    counter = fresh()

    def in_thread(_: int) -> float:
        return float(counter_add(**counter, amount=1, window_s=HOUR)["total"])

    with ThreadPoolExecutor(1) as pool:
        threads = [asyncio.get_running_loop().run_in_executor(pool, in_thread, n) for n in range(40)]
        totals = await asyncio.gather(
            *(counter_add_async(**counter, amount=1, window_s=HOUR) for _ in range(40)), *threads
        )
    seen = [total["total"] if isinstance(total, dict) else total for total in totals]
    assert sorted(seen) == list(range(1, 81))


async def test_a_counter_says_when_its_window_ends_and_ends_with_it() -> None:
    counter = fresh()
    first = await counter_add_async(**counter, amount=2.5, window_s=1)
    assert first["total"] == 2.5 and 0 < first["resets_in"] <= 1
    await asyncio.sleep(first["resets_in"])
    assert (await counter_add_async(**counter, amount=0, window_s=1))["total"] == 0


async def test_looking_changes_nothing_and_names_windows_and_plugins_are_apart() -> None:
    counter = fresh()
    await counter_add_async(**counter, amount=3, window_s=HOUR)
    for _ in range(2):
        assert (await counter_add_async(**counter, amount=0, window_s=HOUR))["total"] == 3
    assert (await counter_add_async(**counter, amount=-1, window_s=HOUR))["total"] == 2
    for other in (counter | {"name": "other"}, counter | {"plugin_id": "other"}):
        assert (await counter_add_async(**other, amount=0, window_s=HOUR))["total"] == 0
    assert (await counter_add_async(**counter, amount=0, window_s=2 * HOUR))["total"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        *({"name": ""}, {"name": "x" * 256}, {"name": 1}, {"amount": "1"}, {"amount": True}),
        *({"amount": float("nan")}, {"amount": 1e17}, {"window_s": 0}, {"window_s": 1e9}, {"window_s": None}),
    ],
)
async def test_what_is_no_counter_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(StudioError) as caught:
        await counter_add_async(**{**fresh(), "amount": 1, "window_s": 60} | wrong)
    assert caught.value.code == "arguments_invalid"


async def test_a_plugin_has_only_so_many_counters_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins_app.services.counters._MOST", 2)
    counter = fresh()
    for name in ("a", "b", "a"):
        await counter_add_async(**counter | {"name": name}, amount=1, window_s=HOUR)
    third = counter | {"name": "c"}
    with pytest.raises(StudioError) as caught:
        await counter_add_async(**third, amount=1, window_s=HOUR)
    assert caught.value.code == "counter_quota" and "100" not in str(caught.value)
    assert (await counter_add_async(**third, amount=0, window_s=HOUR))["total"] == 0
    assert (await counter_add_async(**fresh(), amount=1, window_s=HOUR))["total"] == 1


async def test_a_counter_whose_window_has_ended_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins_app.services.counters._MOST", 1)
    counter = fresh()
    await counter_add_async(**counter, amount=1, window_s=1)
    async with asyncio.timeout(10):
        while (await _counted(counter | {"name": "next"})) is None:
            await asyncio.sleep(0.05)


async def test_without_redis_it_says_so_at_once_and_counts_again_when_it_is_back(own_redis: Valkey) -> None:
    counter = fresh()
    assert (await counter_add_async(**counter, amount=1, window_s=HOUR))["total"] == 1
    own_redis.pause()
    for _ in range(2):  # the first waits for its time limit, the second does not
        with pytest.raises(StudioError) as caught:
            await counter_add_async(**counter, amount=1, window_s=HOUR)
        assert (caught.value.code, caught.value.retryable) == ("not_ready", True)
    own_redis.resume()
    async with asyncio.timeout(20):
        while (await _counted(counter)) is None:
            await asyncio.sleep(0.05)


async def _counted(counter: dict[str, Any]) -> Any:
    try:
        return await counter_add_async(**counter, amount=1, window_s=HOUR)
    except StudioError:
        return None
