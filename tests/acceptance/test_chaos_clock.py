"""The clock is moved by hours, forward and back, while people use the studio: nothing is lost, nothing done twice."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.plugins import spec_tool
from tests.acceptance.traffic import Traffic, install_ledger
from tests.studio import Studio, running, wait_for

HOUR = 3600
#: Where the clock stands, in seconds from where it ought to, one after another.
MOVES = [3 * HOUR, -3 * HOUR, 30 * HOUR, 0]
ROUNDS = [pytest.param(1, id="short"), pytest.param(10, id="long", marks=pytest.mark.soak)]


class Clock:
    """The time of day of a studio. Its monotonic clock goes on, as the kernel's does when somebody sets the time."""

    def __init__(self, root: Path) -> None:
        self._file = root / "clock"
        self.move(0)

    def move(self, seconds: int) -> None:
        """Set it so many seconds ahead, or back when that is negative."""
        draft = self._file.with_name("clock.new")
        draft.write_text(f"{seconds:+d}")
        draft.rename(self._file)

    def prefix(self) -> list[str]:
        """What has to stand before a command for it to go by this clock."""
        spec = importlib.util.find_spec("libfaketime")
        assert spec is not None and spec.origin is not None
        library = Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        variables = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": self._file,
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        return ["env", *(f"{name}={value}" for name, value in variables.items())]


@pytest.fixture
def place(leak_guard: None) -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="cl-", dir="/tmp"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def clock(place: Path) -> Clock:
    return Clock(place)


@pytest.fixture
def studio(place: Path, clock: Clock) -> Iterator[Studio]:
    """A studio that goes by a clock of its own."""
    made = Studio(place, bundled=(), prefix=clock.prefix())
    try:
        with running(made):
            (place / "ledger").mkdir()
            install_ledger(made, place / "ledger")
            yield made
    finally:
        assert made.launcher is not None
        for path in Path("/dev/shm").glob(f"*faketime_*_{made.launcher.pid}"):
            path.unlink()  # libfaketime leaves them


def begin_long_one(studio: Studio, seconds: int) -> str:
    """An execution in the background that takes so long; returns where to look."""
    folder = studio.plugins_dir / "sleeper"
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / "plugin.py").write_text(spec_tool("sleeper"))
    loaded = studio.http.post("/api/plugins/load", {"plugin_id": "sleeper", "config": {"api_key": "k"}})
    assert loaded.status == 200, loaded.text
    call = {"plugin_id": "sleeper", "method": "execute", "mode": "async", "timeout": seconds + 60}
    call["kwargs"] = {"action": "sleep", "parameters": {"seconds": seconds}}
    where = studio.http.post("/api/plugins/execute", call).headers["Location"]
    wait_for(lambda: row(studio, where)["status"] == "running", 30)
    return str(where)


def ahead(studio: Studio) -> float:
    """By how many seconds the studio's clock is ahead of ours, as its answers say."""
    told = studio.anonymous.get("/api/plugins/health").headers["Date"]
    return parsedate_to_datetime(told).timestamp() - time.time()


def row(studio: Studio, where: str) -> dict[str, Any]:
    found: dict[str, Any] = studio.http.get(where).json()
    return found


@pytest.mark.parametrize("rounds", ROUNDS)
def test_the_clock_is_moved(studio: Studio, clock: Clock, place: Path, rounds: int) -> None:
    with Traffic(studio, place / "ledger", callers=2) as traffic:
        for _ in range(rounds):
            long_one = begin_long_one(studio, 18)  # longer than beat takes to look for lost ones
            for offset in MOVES:
                clock.move(offset)
                wait_for(lambda by=offset: abs(ahead(studio) - by) < 60, 30, lambda: str(ahead(studio)))
                traffic.more(executed=50, queued=4, streamed=2)
            wait_for(lambda at=long_one: row(studio, at)["status"] != "running", 90)
            assert row(studio, long_one)["status"] == "succeeded", row(studio, long_one)
    figures = traffic.figures()
    assert (figures.lost, figures.duplicated) == ([], [])
    assert studio.http.get("/api/plugins/ledger").json()["state"] == "active"
    wait_for(lambda: studio.anonymous.get("/api/plugins/health").status == 200, 30)
    assert [node["state"] for node in studio.http.get("/api/nodes").json()["results"]] == ["ready"]
