"""Turning samples into figures."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

__all__ = ["Latencies", "alternate", "hammer", "row", "section", "slope"]


@dataclass(frozen=True)
class Latencies:
    """The durations of many calls, in seconds, and how long all of them took together."""

    samples: Sequence[float]
    elapsed: float

    def quantile(self, share: float) -> float:
        ordered = sorted(self.samples)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    @property
    def p50(self) -> float:
        return self.quantile(0.5)

    @property
    def p99(self) -> float:
        return self.quantile(0.99)

    @property
    def rate(self) -> float:
        """Calls per second."""
        return len(self.samples) / self.elapsed


async def hammer(call: Callable[[], Awaitable[object]], callers: int, seconds: float) -> Latencies:
    """Call without a pause from so many callers for so long."""
    samples: list[float] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        while (begun := time.perf_counter()) < end:
            await call()
            samples.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(callers)))
    return Latencies(samples, time.perf_counter() - begun)


async def alternate(
    first: Callable[[], Awaitable[object]],
    second: Callable[[], Awaitable[object]],
    callers: int,
    rounds: int = 4,
    seconds: float = 1.0,
) -> tuple[Latencies, Latencies, list[float]]:
    """A B B A ...: both sides in turn. Returns the middle round of each and the paired p50 ratios (first / second)."""
    pairs: list[tuple[Latencies, Latencies]] = []
    for number in range(rounds):
        if number % 2 == 0:
            a = await hammer(first, callers, seconds)
            b = await hammer(second, callers, seconds)
        else:
            b = await hammer(second, callers, seconds)
            a = await hammer(first, callers, seconds)
        pairs.append((a, b))
    middle = sorted(pairs, key=lambda pair: pair[0].p50)[len(pairs) // 2]
    return *middle, [a.p50 / b.p50 for a, b in pairs]


def slope(values: Sequence[float]) -> float:
    """How much a value grows per step: the least-squares line through its second half, after everything is warm."""
    half = list(values[len(values) // 2 :])
    return statistics.linear_regression(range(len(half)), half).slope if len(half) > 1 else 0.0


def section(title: str, *columns: str) -> None:
    """Begin a Markdown table."""
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)


def row(*cells: object) -> None:
    """One line of the table."""
    print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)
