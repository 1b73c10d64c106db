"""The trial (soak) of one generation: from when it first serves until it has served long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .process import PluginProcess

__all__ = ["Trial"]


class Trial:
    """At most one generation is on trial. `passed(generation)` is called when its time is over."""

    def __init__(self, passed: Callable[[int], None]) -> None:
        self._passed = passed
        self._generation: int | None = None
        self._end: asyncio.TimerHandle | None = None

    def begin(self, process: PluginProcess, seconds: float) -> None:
        """Put the generation of this process on trial; one that is on trial already goes on with it."""
        if self.is_of(process):
            return
        self.end()
        self._generation = process.generation
        left = max(0.0, seconds - process.record.age)
        self._end = asyncio.get_running_loop().call_later(left, self._over, process.generation)

    def is_of(self, process: PluginProcess) -> bool:
        """Whether the generation of this process is on trial."""
        return self._generation == process.generation

    def end(self) -> None:
        """Nothing is on trial any more."""
        if self._end is not None:
            self._end.cancel()
        self._generation, self._end = None, None

    def _over(self, generation: int) -> None:
        self.end()
        self._passed(generation)
