"""The whole system with 1, 10 and 100 plugins loaded: convergence, reloads, restarts, memory, an idle plugin host."""

from __future__ import annotations

import os
import signal
import statistics
import time
from pathlib import Path

import psutil

from tests.bench.figures import Latencies, row, section
from tests.bench.many import drop, load_many, operate, unload_bundled
from tests.studio import Studio, running_studio, wait_for

SIZES = (1, 10, 100)
ROUNDS = 3
RELOADS, KILLS, IDLE_SECONDS = 100, 30, 15.0


def run() -> None:
    """Measure and print."""
    with running_studio(WEB_WORKERS="1") as studio:
        unload_bundled(studio)
        lines = [_measure(studio, size) for size in SIZES]
    for title, columns in _TABLES.items():
        section(title, "plugins loaded", *columns)
        for size, line in zip(SIZES, lines, strict=True):
            row(size, *(line[column] for column in columns))


_TABLES = {
    f"Convergence: from desired written to all observed active (median of {ROUNDS})": (
        "cold s",
        "warm s",
        "warm ms each",
        "unload s",
    ),
    f"A reload over HTTP ({RELOADS} times)": ("reload p50 ms", "reload p99 ms"),
    f"From SIGKILL to the next answer over HTTP ({KILLS} times)": ("restart p50 ms", "restart p99 ms"),
    "What they cost": (
        "RSS MiB each",
        "PSS MiB each",
        "USS MiB each",
        "host RSS MiB",
        "host idle CPU %",
        "all idle CPU %",
    ),
}


def _measure(studio: Studio, size: int) -> dict[str, str]:
    ids = drop(studio, size)
    load_many(studio, ids)  # discovered and compiled: not what is measured
    unloads, warm = [], []
    for _ in range(ROUNDS):
        unloads.append(float(operate(studio, "unload", *ids)))
        warm.append(load_many(studio, ids))
    cold = statistics.median(_cold(studio, ids) for _ in range(ROUNDS))
    figures = {
        "cold s": f"{cold:.2f}",
        "warm s": f"{statistics.median(warm):.2f}",
        "warm ms each": f"{statistics.median(warm) / size * 1e3:.1f}",
        "unload s": f"{statistics.median(unloads):.2f}",
    }
    return figures | _costs(studio, ids) | _reloads(studio) | _restarts(studio)


def _cold(studio: Studio, ids: list[str]) -> float:
    """The machine has just been started: neither a plugin host nor one plugin process is there."""
    old = studio.pids()["host"]
    pids = operate(studio, "active", *ids)
    os.kill(old, signal.SIGKILL)
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: studio.pids().get("host") not in (None, old), 30)
    begun = psutil.Process(studio.pids()["host"]).create_time()
    wait_for(lambda: set(operate(studio, "active", *ids).values()).isdisjoint(pids.values()), 120)
    return _last_start(studio, ids) - begun


def _last_start(studio: Studio, ids: list[str]) -> float:
    return max(psutil.Process(pid).create_time() for pid in operate(studio, "active", *ids).values())


def _reloads(studio: Studio) -> dict[str, str]:
    times = []
    for _ in range(RELOADS):
        begun = time.perf_counter()
        answer = studio.http.post("/api/plugins/many-0/reload")
        assert answer.status == 200, answer.text
        times.append(time.perf_counter() - begun)
    seen = Latencies(times, sum(times))
    return {"reload p50 ms": f"{seen.p50 * 1e3:.0f}", "reload p99 ms": f"{seen.p99 * 1e3:.0f}"}


def _restarts(studio: Studio) -> dict[str, str]:
    times = []
    for _ in range(KILLS):
        assert studio.http.post("/api/plugins/many-0/reload").status == 200  # forgets the crashes before
        pid = _pid(studio)
        assert isinstance(pid, int)
        begun = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        while _pid(studio) in (None, pid):
            time.sleep(0.002)
        times.append(time.perf_counter() - begun)
    seen = Latencies(times, sum(times))
    return {"restart p50 ms": f"{seen.p50 * 1e3:.0f}", "restart p99 ms": f"{seen.p99 * 1e3:.0f}"}


def _pid(studio: Studio) -> object:
    body = {"plugin_id": "many-0", "method": "execute", "kwargs": {"action": "pid", "parameters": {}}}
    return studio.http.post("/api/plugins/execute", body).json().get("result")


def _costs(studio: Studio, ids: list[str]) -> dict[str, str]:
    host = psutil.Process(studio.pids()["host"])
    children = [psutil.Process(pid) for pid in operate(studio, "active", *ids).values()]
    before, begun = [_cpu(each) for each in (host, *children)], time.perf_counter()
    time.sleep(IDLE_SECONDS)
    spent = [after - earlier for after, earlier in zip(map(_cpu, (host, *children)), before, strict=True)]
    elapsed = (time.perf_counter() - begun) / 100
    memory = {name: statistics.median(_kilobytes(each.pid, name) for each in children) for name in ("Rss", "Pss")}
    return {
        "RSS MiB each": f"{memory['Rss'] / 1024:.1f}",
        "PSS MiB each": f"{memory['Pss'] / 1024:.1f}",
        "USS MiB each": f"{statistics.median(_private(each.pid) for each in children) / 1024:.1f}",
        "host RSS MiB": f"{host.memory_info().rss / 2**20:.0f}",
        "host idle CPU %": f"{spent[0] / elapsed:.1f}",
        "all idle CPU %": f"{sum(spent) / elapsed:.1f}",
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _private(pid: int) -> int:
    return _kilobytes(pid, "Private_Clean") + _kilobytes(pid, "Private_Dirty")


def _kilobytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(f"no {name} for {pid}")
