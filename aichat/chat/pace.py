"""How fast requests begin while answers stream: a crowd that comes at once must not make those under way stutter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Pace"]

#: How long a request waits after the one before it, for each stream that runs, in seconds: beside 200 streams 500
#: requests a second begin. To begin costs as much as 20 chunks; a crowd would hold up every chunk for its whole length.
_EACH_S = 1e-5


class Pace:
    """Gives each request of a process its time to begin: at once while nothing streams, and when few requests come.

    The virtual scheduling form of the generic cell rate algorithm (ITU-T I.371), without a tolerance for bursts.
    """

    def __init__(self) -> None:
        self._streams = 0
        self._next = 0.0

    async def turn(self) -> None:
        """Return when the request may begin."""
        if wait := self.claim(time.monotonic()):
            await asyncio.sleep(wait)

    def claim(self, now: float) -> float:
        """Take the next time to begin; return how many seconds from `now` it is."""
        begin = max(now, self._next)
        self._next = begin + self._streams * _EACH_S
        return begin - now

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """While an answer streams."""
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1
