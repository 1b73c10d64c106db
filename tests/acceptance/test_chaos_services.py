"""What the studio leans on goes away and comes back while people use it: no call is lost, and none is done twice."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.traffic import Traffic, install_ledger
from tests.postgres import Postgres
from tests.studio import Studio, running, wait_for
from tests.valkey import Valkey

KILLS = [pytest.param(3, id="thrice"), pytest.param(20, id="twenty-times", marks=pytest.mark.soak)]
TIMES = [pytest.param(2, id="twice"), pytest.param(20, id="many-times", marks=pytest.mark.soak)]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory for everything of this module."""
    root = Path(tempfile.mkdtemp(prefix="ch-", dir="/tmp"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def redis(place: Path, owned_processes: set[int]) -> Iterator[Valkey]:
    """A Redis that can be taken away."""
    (place / "redis").mkdir()
    server = Valkey(place / "redis", on_start=owned_processes.add)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def studio(place: Path, postgres: Postgres, redis: Valkey, owned_processes: set[int]) -> Iterator[Studio]:
    """A studio on PostgreSQL and an outside Redis, with a plugin that notes its calls."""
    made = Studio(place, bundled=(), DATABASE_URL=postgres.database(), REDIS_URL=redis.url)
    with running(made) as running_one:
        assert running_one.launcher is not None
        owned_processes.add(running_one.launcher.pid)
        (place / "ledger").mkdir()
        install_ledger(running_one, place / "ledger")
        yield running_one


@pytest.fixture
def traffic(studio: Studio, place: Path) -> Traffic:
    return Traffic(studio, place / "ledger")


def check(traffic: Traffic) -> None:
    figures = traffic.figures()
    assert figures.lost == []
    assert figures.duplicated == []


def is_well(studio: Studio) -> Callable[[], bool]:
    return lambda: studio.anonymous.get("/api/plugins/health").status == 200


def test_redis_hangs_and_then_dies(studio: Studio, redis: Valkey, traffic: Traffic) -> None:
    with traffic:
        traffic.more(executed=50, queued=4, streamed=2)
        redis.pause()
        traffic.more(executed=100, queued=4, streamed=4)
        redis.stop(signal.SIGKILL)
        traffic.more(executed=100, queued=4, streamed=4)
        redis.start()
        traffic.more(executed=50, queued=4, streamed=2)
    check(traffic)
    wait_for(is_well(studio), 60)


@pytest.mark.soak
def test_redis_hangs_for_half_a_minute(studio: Studio, redis: Valkey, traffic: Traffic) -> None:
    with traffic:
        traffic.more(executed=100, queued=5, streamed=2)
        redis.pause()
        traffic.go_on(30)
        redis.resume()
        traffic.more(executed=100, queued=5, streamed=2)
    check(traffic)
    wait_for(is_well(studio), 60)


@pytest.mark.soak
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_redis_is_gone_for_half_a_minute(studio: Studio, redis: Valkey, traffic: Traffic, signum: int) -> None:
    with traffic:
        traffic.more(executed=100, queued=5, streamed=2)
        redis.stop(signum)
        traffic.go_on(30)
        redis.start()
        traffic.more(executed=100, queued=5, streamed=2)
    check(traffic)
    wait_for(is_well(studio), 60)


@pytest.mark.parametrize("immediate", [False, True], ids=["in-order", "as-in-a-power-cut"])
@pytest.mark.parametrize("times", TIMES)
def test_postgresql_is_restarted(
    studio: Studio, postgres: Postgres, traffic: Traffic, times: int, immediate: bool
) -> None:
    with traffic:
        for _ in range(times):
            traffic.more(executed=50, queued=4, streamed=2)
            postgres.stop(immediate=immediate)
            traffic.more(executed=100)  # while it is away: these need no database
            postgres.start()
        traffic.more(executed=50, queued=4, streamed=2)
    check(traffic)
    wait_for(is_well(studio), 60)


@pytest.mark.soak
def test_postgresql_is_away_for_some_seconds(studio: Studio, postgres: Postgres, traffic: Traffic) -> None:
    with traffic:
        for _ in range(5):
            traffic.more(executed=50, queued=4, streamed=2)
            postgres.stop()
            traffic.go_on(6)
            postgres.start()
        traffic.more(executed=50, queued=4, streamed=2)
    check(traffic)


@pytest.mark.parametrize("times", KILLS)
def test_the_plugin_host_is_killed(studio: Studio, traffic: Traffic, times: int) -> None:
    with traffic:
        for _ in range(times):
            host = studio.pids()["host"]
            os.kill(host, signal.SIGKILL)
            wait_for(lambda before=host: studio.pids().get("host", before) != before, 30, studio.log)
            traffic.more(executed=20)
    check(traffic)
    wait_for(is_well(studio), 60)
    assert studio.http.get("/api/plugins/ledger").json()["state"] == "active"
