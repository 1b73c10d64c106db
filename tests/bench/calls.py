"""A call to a plugin process against the same call in process; swaps, starts and memory without a database."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

import uvloop

from plugins_app.sdk import ToolPlugin
from tests.bench.figures import Latencies, alternate, row, section
from tests.hosting import HostedNode, hosted_node

_PAYLOAD = {"text": "x" * 1000}
_PROCESSES = 100


class _InProcess(ToolPlugin):
    async def execute(self, action: str, parameters: dict[str, object]) -> dict[str, object]:
        return {"values": parameters, "version": "1.0.0", "pid": os.getpid()}


def run() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="b-") as root:
        uvloop.run(_measure(Path(root)))


async def _measure(root: Path) -> None:
    async with hosted_node(root / "n") as node:
        await node.active(node.want(node.snapshot("d1")))
        await _calls(node)
        await _swaps(node)
        await _kills(node)
        await _memory(node)


async def _calls(node: HostedNode) -> None:
    plugin = _InProcess()

    async def out() -> object:
        return await node.client.call("probe", "execute", ["echo", _PAYLOAD])

    async def inside() -> object:
        return await plugin.execute("echo", dict(_PAYLOAD))

    columns = ("callers", "in process p50 µs", "plugin process p50 µs", "p99 µs", "calls/s", "added p50 µs")
    section("A call to a plugin process against the same call in process (1 KB)", *columns)
    for callers in (1, 64):
        far, near, _ = await alternate(out, inside, callers)
        added = (far.p50 - near.p50) * 1e6
        row(
            callers,
            f"{near.p50 * 1e6:.2f}",
            f"{far.p50 * 1e6:.0f}",
            f"{far.p99 * 1e6:.0f}",
            f"{far.rate:,.0f}",
            f"{added:.0f}",
        )
    blocking = await asyncio.to_thread(_blocking, node)
    row(
        "1 (blocking client)", "", f"{blocking.p50 * 1e6:.0f}", f"{blocking.p99 * 1e6:.0f}", f"{blocking.rate:,.0f}", ""
    )


def _blocking(node: HostedNode) -> Latencies:
    samples, begun = [], time.perf_counter()
    for _ in range(5000):
        start = time.perf_counter()
        node.blocking.call("probe", "execute", ["echo", _PAYLOAD])
        samples.append(time.perf_counter() - start)
    return Latencies(samples, time.perf_counter() - begun)


async def _swaps(node: HostedNode) -> None:
    times = []
    for _ in range(200):
        begun = time.perf_counter()
        await node.active(node.want("d1"))
        times.append(time.perf_counter() - begun)
    section("A swap, host only (200 in a row)", "p50 ms", "p99 ms")
    row(f"{statistics.median(times) * 1e3:.1f}", f"{sorted(times)[-2] * 1e3:.1f}")


async def _kills(node: HostedNode) -> None:
    times = []
    for _ in range(20):
        await node.active(node.want("d1"))
        pid = (await node.execute("echo")).value["pid"]
        begun = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        await _next_answer(node, pid)
        times.append(time.perf_counter() - begun)
    section("From SIGKILL to the next answer (20 times)", "p50 ms", "max ms")
    row(f"{statistics.median(times) * 1e3:.1f}", f"{max(times) * 1e3:.1f}")


async def _next_answer(node: HostedNode, killed: int) -> None:
    from plugins_app.client import CallError

    while True:
        try:
            if (await node.execute("echo")).value["pid"] != killed:
                return
        except CallError as error:
            assert error.code == "plugin_crashed"


async def _memory(node: HostedNode) -> None:
    begun = time.perf_counter()
    ids = [f"many-{number}" for number in range(_PROCESSES)]
    for plugin_id in ids:
        node.snapshot("m1", plugin_id=plugin_id)
        node.want("m1", plugin_id)
    for plugin_id in ids:
        await node.seen(lambda observed: observed.state == "active", plugin_id)
    elapsed = time.perf_counter() - begun
    pids = [node.store.rows[plugin_id].pid for plugin_id in ids]
    section(f"{_PROCESSES} plugin processes", "all ready after s", "PSS each MiB (median)", "RSS each MiB (median)")
    pss = statistics.median(_pss(pid) for pid in pids if pid)
    rss = statistics.median(_rss(pid) for pid in pids if pid)
    row(f"{elapsed:.2f}", f"{pss / 2**20:.1f}", f"{rss / 2**20:.1f}")


def _pss(pid: int) -> int:
    return _kilobytes(pid, "Pss:")


def _rss(pid: int) -> int:
    return _kilobytes(pid, "Rss:")


def _kilobytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {name} for {pid}")
