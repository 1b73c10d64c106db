"""The tables: the studio beside each peer, alone under many streams, and while a middleware is swapped."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import row, section
from tests.bench.gateway.measuring import Bench, Seen, measuring, spread
from tests.bench.gateway.servers import Served, litellm, portkey, portkey_streams, studio
from tests.studio import free_port

__all__ = ["run"]

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "4"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
_PLAIN, _BURST = ("plain", False), ("burst", True)
#: What each peer is asked: Portkey needs another web framework for its streams than for its best plain figures.
_PEERS = {
    "LiteLLM": (litellm, (_PLAIN, _BURST)),
    "Portkey": (portkey, (_PLAIN,)),
    "Portkey's streams": (portkey_streams, (_BURST,)),
}
_STREAMS = (15, 25, 50, 100, 200, 300, 400)
_GAP_S = 0.04
_SWAP_EVERY_S = 2.0


def run() -> None:
    """Measure and print."""
    root = Path(tempfile.mkdtemp(prefix="gw-", dir="/tmp"))
    try:
        with measuring(free_port()) as bench, studio(root / "s", bench.upstream) as ours:
            _memory(ours)
            for name in os.environ.get("BENCH_WITH", "LiteLLM,Portkey,Portkey's streams").split(","):
                if name:
                    _beside(bench, ours, root, name)
            _many_streams(bench, ours)
            _swaps(bench, ours)
            print(f"\n{bench.noisy} rounds were taken although others used more than a quarter of a core.")
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _memory(ours: Served) -> None:
    rss, pss = ours.memory()
    section("Idle memory, all processes together", "server", "processes", "RSS MiB", "PSS MiB")
    row(ours.name, len(ours.members()), f"{rss:.0f}", f"{pss:.0f}")


def _beside(bench: Bench, ours: Served, root: Path, name: str) -> None:
    with contextlib.ExitStack() as stack:
        try:
            start, shapes = _PEERS[name]
            peer = stack.enter_context(start(root / name.replace("'", ""), bench.upstream))
        except OSError as error:
            print(f"\n{name} is not there to compare with: {error}")
            return
        rss, pss = peer.memory()
        row(peer.name, len(peer.members()), f"{rss:.0f}", f"{pss:.0f}")
        for model, stream in shapes:
            _compare(bench, ours, peer, model, stream)
        if _BURST in shapes:
            _many_streams(bench, peer)


def _compare(bench: Bench, ours: Served, peer: Served, model: str, stream: bool) -> None:
    what = "50 chunks, streamed" if stream else "plain"
    columns = ("callers", "figure", ours.name, peer.name, f"{ours.name} / {peer.name} (min to max)")
    for served in (ours, peer):  # warm
        bench.round(served, model, stream=stream, callers=4, seconds=min(1.0, SECONDS))
    section(f"{ours.name} beside {peer.name}: {what}", *columns)
    for callers in (1, 16):
        pairs = bench.pair(ours, peer, ROUNDS, model=model, stream=stream, callers=callers, seconds=SECONDS)
        _check(pairs)
        _line(callers, "p50 ms", pairs, lambda seen: seen.latencies.p50 * 1e3)
        if callers == 1:
            _line(callers, "first byte p50 ms", pairs, lambda seen: statistics.median(seen.outcome.first) * 1e3)
            continue
        _line(callers, "p99 ms", pairs, lambda seen: seen.latencies.p99 * 1e3)
        _line(callers, "p99 / p50", pairs, lambda seen: seen.latencies.p99 / seen.latencies.p50)
        _line(callers, "requests/s", pairs, lambda seen: seen.latencies.rate)
        _line(callers, "CPU ms per request", pairs, lambda seen: seen.cpu_each * 1e3)


def _line(callers: int, name: str, pairs: list[tuple[Seen, Seen]], of: object) -> None:
    assert callable(of)
    middle = [f"{statistics.median(of(pair[side]) for pair in pairs):.2f}" for side in (0, 1)]
    row(callers, name, *middle, spread(pairs, of, 3))


def _check(pairs: list[tuple[Seen, Seen]]) -> None:
    for seen in (one for pair in pairs for one in pair):
        if seen.outcome.failed:
            print(f"\n{seen.outcome.failed} requests failed: {seen.outcome.failure}\n")


def _many_streams(bench: Bench, served: Served) -> None:
    section(
        f"{served.name}: concurrent streams of 50 chunks, 20 ms apart", "streams", "p50 gap ms", "p99 gap ms", "CPU %"
    )
    for count in _STREAMS:
        seen = bench.round(served, "paced", stream=True, callers=count, seconds=3)
        gaps = sorted(seen.outcome.gaps)
        share = 100 * seen.cpu / seen.outcome.elapsed
        middle = gaps[len(gaps) // 2] * 1e3 if gaps else 0
        row(count, f"{middle:.1f}", f"{seen.gap_p99 * 1e3:.1f}", f"{share:.0f}")
        if seen.outcome.failed:
            print(f"\n{seen.outcome.failed} failed: {seen.outcome.failure}\n")
        if seen.gap_p99 > _GAP_S:
            break


@contextlib.contextmanager
def _swapping(ours: Served) -> Iterator[list[float]]:
    assert ours.studio is not None
    http, stop, swaps = ours.studio.http, threading.Event(), list[float]()

    def swap() -> None:
        while not stop.wait(_SWAP_EVERY_S):
            answer = http.post("/api/plugins/first/reload")
            assert answer.status == 200, answer.text
            swaps.append(1)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield swaps
    finally:
        stop.set()
        thread.join()


def _swaps(bench: Bench, ours: Served) -> None:
    """The same load with and without a middleware being swapped every two seconds, in turn."""
    title = "The studio while a middleware is swapped every 2 s (plain, 16 callers)"
    section(title, "round", "requests", "swaps", "failed", "p50 ms", "p99 ms", "p99 / quiet p99")
    for number in range(max(1, ROUNDS // 2)):
        quiet = bench.round(ours, "plain", stream=False, callers=16, seconds=10)
        with _swapping(ours) as swaps:
            seen = bench.round(ours, "plain", stream=False, callers=16, seconds=10)
        late = seen.latencies
        ratio = late.p99 / quiet.latencies.p99
        figures = (f"{late.p50 * 1e3:.2f}", f"{late.p99 * 1e3:.2f}", f"{ratio:.2f}")
        row(number + 1, len(late.samples), len(swaps), seen.outcome.failed, *figures)
