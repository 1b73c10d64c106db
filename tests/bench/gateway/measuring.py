"""Rounds: run one, see whether anything else took the processor, pair two servers' rounds."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from tests.bench.figures import Latencies
from tests.bench.gateway.load import Outcome, Round
from tests.bench.gateway.servers import LOAD_CORE, Served, pinned

__all__ = ["Bench", "Seen", "measuring", "spread"]

#: A round is done again when others took more than this share of a core, so many times at most.
QUIET, TRIES = 0.25, int(os.environ.get("BENCH_TRIES", "3"))


@dataclass(frozen=True)
class Seen:
    """One round of one server."""

    outcome: Outcome
    cpu: float
    others: float

    @property
    def latencies(self) -> Latencies:
        return Latencies(self.outcome.samples, self.outcome.elapsed)

    @property
    def cpu_each(self) -> float:
        """Seconds of processor time for one request."""
        return self.cpu / max(1, len(self.outcome.samples))

    @property
    def gap_p99(self) -> float:
        return Latencies(self.outcome.gaps or [0.0], 1).p99


class Bench:
    """The load generator, and the upstream that it shares a core with."""

    def __init__(self, load: subprocess.Popen[str], helpers: Sequence[psutil.Process], upstream: int) -> None:
        self._load, self._helpers, self.upstream = load, helpers, upstream
        self.noisy = 0

    def round(self, served: Served, model: str, *, stream: bool, callers: int, seconds: float) -> Seen:
        """One round; the quietest of a few when others are at work."""
        seen: list[Seen] = []
        for _ in range(TRIES):
            seen.append(self._once(served, model, stream, callers, seconds))
            if seen[-1].others <= QUIET:
                return seen[-1]
        self.noisy += 1
        return min(seen, key=lambda one: one.others)

    def _once(self, served: Served, model: str, stream: bool, callers: int, seconds: float) -> Seen:
        body: dict[str, Any] = {
            "model": served.models + model,
            "messages": [{"role": "user", "content": "Hello there"}],
        }
        body |= {"stream": True} if stream else {}
        asked = Round(served.port, served.path, served.headers, body, callers, seconds)
        served.members()
        before = served.cpu(), self._own(), _busy()
        assert self._load.stdin is not None and self._load.stdout is not None
        self._load.stdin.write(json.dumps(asdict(asked)) + "\n")
        self._load.stdin.flush()
        outcome = Outcome(**json.loads(self._load.stdout.readline()))
        cpu, own, busy = (after - was for after, was in zip((served.cpu(), self._own(), _busy()), before, strict=True))
        return Seen(outcome, cpu, max(0.0, (busy - own - cpu) / outcome.elapsed))

    def _own(self) -> float:
        times = [helper.cpu_times() for helper in self._helpers]
        return sum(each.user + each.system for each in times)

    def pair(self, one: Served, other: Served, rounds: int, **what: Any) -> list[tuple[Seen, Seen]]:
        """A B B A ...: paired rounds of two servers."""
        pairs = []
        for number in range(rounds):
            first, second = (one, other) if number % 2 == 0 else (other, one)
            seen = {each.name: self.round(each, **what) for each in (first, second)}
            pairs.append((seen[one.name], seen[other.name]))
        return pairs


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice - times.steal)


def spread(pairs: list[tuple[Seen, Seen]], of: Callable[[Seen], float], digits: int = 1) -> str:
    """The median of the paired ratios (first / second), and how far apart they were."""
    ratios = [of(one) / of(other) for one, other in pairs if of(other)]
    middle = statistics.median(ratios)
    return f"{middle:.{digits}f} ({min(ratios):.{digits}f} to {max(ratios):.{digits}f})"


@contextmanager
def measuring(upstream: int) -> Iterator[Bench]:
    """A bench with its helpers on their core, which end with it."""
    python = [sys.executable, "-m"]
    mock = psutil.Popen(pinned(LOAD_CORE, *python, "tests.bench.gateway.upstream", str(upstream)))
    load = subprocess.Popen(
        pinned(LOAD_CORE, *python, "tests.bench.gateway.load"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Bench(load, [psutil.Process(mock.pid), psutil.Process(load.pid)], upstream)
    finally:
        for process in (mock, load):
            process.terminate()
            process.wait()
