"""The whole system: execute against an empty Django view, reloads over HTTP, a neighbour that spins, leaks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil
import uvloop

from tests.acceptance.plugins import spec_tool
from tests.bench.figures import Latencies, alternate, hammer, row, section, slope
from tests.studio import Client, Studio, free_port, running_studio, wait_for

_EXECUTE = {
    "plugin_id": "bench",
    "method": "execute",
    "args": [],
    "kwargs": {"action": "echo", "parameters": {"text": "x" * 1000}},
}
LEAK_RELOADS = 1000


def run() -> None:
    """Measure and print."""
    with running_studio(WEB_WORKERS="1") as studio:
        folder = studio.plugins_dir / "bench"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "plugin.py").write_text(spec_tool("bench"))
        answer = studio.http.post("/api/plugins/load", {"plugin_id": "bench", "config": {"api_key": "k"}})
        assert answer.status == 200, answer.text
        with _beside(studio) as url:
            uvloop.run(_http(url, studio.operator_key))
        uvloop.run(_neighbour(studio))
        _reloads(studio)


@contextmanager
def _beside(studio: Studio) -> Iterator[str]:
    """A web process like the studio's own, with an empty view beside its routes."""
    port = free_port()
    environ = studio.environ | {"DJANGO_SETTINGS_MODULE": "tests.bench.settings"}
    command = [str(Path(sys.executable).with_name("uvicorn")), "--port", str(port), "--loop", "uvloop"]
    command += ["--http", "httptools", "--no-access-log", "--log-level", "warning", "aichat.asgi:application"]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: _answers(url), 60)
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return Client(url).get("/bench/empty").status == 200
    except OSError:
        return False


async def _http(url: str, key: str) -> None:
    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {key}"}) as http:

        async def execute() -> None:
            async with http.post("/api/plugins/execute", json=_EXECUTE) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

        async def empty() -> None:
            async with http.post("/bench/empty", json=_EXECUTE) as answer:
                assert answer.status == 200
                await answer.read()

        async def empty_drf() -> None:
            async with http.post("/bench/empty-drf", json=_EXECUTE) as answer:
                assert answer.status == 200
                await answer.read()

        columns = (
            "callers",
            "other",
            "other p50 ms",
            "execute p50 ms",
            "p99 ms",
            "requests/s",
            "ratio p50 (min to max)",
        )
        section("POST /api/plugins/execute against an empty view (one web process)", *columns)
        for callers in (1, 16):
            for name, other in (("Django view", empty), ("DRF view", empty_drf)):
                ours, theirs, ratios = await alternate(execute, other, callers)
                spread = f"{sorted(ratios)[len(ratios) // 2]:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
                p50, p99 = f"{ours.p50 * 1e3:.2f}", f"{ours.p99 * 1e3:.2f}"
                row(callers, name, f"{theirs.p50 * 1e3:.2f}", p50, p99, f"{ours.rate:,.0f}", spread)


async def _neighbour(studio: Studio) -> None:
    """The p99 of one plugin's calls while another one spins until its deadline, again and again."""
    headers = {"Authorization": f"Bearer {studio.operator_key}"}
    async with aiohttp.ClientSession(studio.url, headers=headers) as http:

        async def calculate() -> None:
            kwargs = {"action": "evaluate", "parameters": {"expression": "6*7"}}
            body = {"plugin_id": "calculator", "method": "execute", "kwargs": kwargs}
            async with http.post("/api/plugins/execute", json=body) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

        section("Another plugin's calls while one spins or blocks", "state", "p50 ms", "p99 ms", "p99 / quiet p99")
        quiet = await hammer(calculate, 1, 5)
        row("quiet", f"{quiet.p50 * 1e3:.2f}", f"{quiet.p99 * 1e3:.2f}", "1")
        for way in ("spin", "block"):
            seen = await _while_stuck(studio, calculate, way)
            row(way, f"{seen.p50 * 1e3:.2f}", f"{seen.p99 * 1e3:.2f}", f"{seen.p99 / quiet.p99:.2f}")


async def _while_stuck(studio: Studio, calculate: object, way: str) -> Latencies:
    stop = threading.Event()

    def stuck() -> None:
        parameters = {"seconds": 60}
        body = _EXECUTE | {"kwargs": {"action": way, "parameters": parameters}, "timeout": 1}
        while not stop.is_set():
            assert studio.http.post("/api/plugins/execute", body).status == 504

    thread = threading.Thread(target=stuck)
    thread.start()
    seen = await hammer(calculate, 1, 5)  # type: ignore[arg-type]
    stop.set()
    await asyncio.to_thread(thread.join)
    return seen


def _reloads(studio: Studio) -> None:
    """Time and leaks of a thousand reloads over HTTP."""
    watched = _long_lived(studio)
    memory: dict[str, list[float]] = {name: [] for name in watched}
    files: dict[str, list[float]] = {name: [] for name in watched}
    times = []
    for number in range(LEAK_RELOADS):
        begun = time.perf_counter()
        assert studio.http.post("/api/plugins/bench/reload").status == 200
        times.append(time.perf_counter() - begun)
        if number % 10 == 0:
            for name, process in watched.items():
                memory[name].append(process.memory_info().rss)
                files[name].append(process.num_fds())
    seen = Latencies(times, sum(times))
    section(f"{LEAK_RELOADS} reloads over HTTP", "p50 ms", "p99 ms")
    row(f"{seen.p50 * 1e3:.0f}", f"{seen.p99 * 1e3:.0f}")
    title = f"Long-lived processes over {LEAK_RELOADS} reloads (slope of the second half)"
    section(
        title,
        "process",
        "RSS MiB start",
        "RSS MiB end",
        "KiB per reload",
        "files start",
        "files end",
        "files per reload",
    )
    for name in watched:
        rss, fds = memory[name], files[name]
        grows, opens = slope(rss) / 10 / 1024, slope(fds) / 10
        row(name, f"{rss[0] / 2**20:.1f}", f"{rss[-1] / 2**20:.1f}", f"{grows:.2f}", fds[0], fds[-1], f"{opens:.4f}")


def _long_lived(studio: Studio) -> dict[str, psutil.Process]:
    """The launcher, its processes and theirs, but not the plugin processes, which a reload replaces."""
    assert studio.launcher is not None
    found = {"launcher": psutil.Process(studio.launcher.pid)}
    for name, pid in studio.pids().items():
        process = psutil.Process(pid)
        found[name] = process
        for number, child in enumerate(process.children()):
            found[f"{name} child {number}"] = child
    return found
