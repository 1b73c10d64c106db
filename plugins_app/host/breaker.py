"""When a plugin keeps dying: how long to wait before the next try, and when to stop trying."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Breaker"]


class Breaker:
    """Counts crashes in a sliding window. Times in seconds.

    Closed: restart, the first time at once, then with exponential backoff and jitter. Open: after `threshold` crashes
    within `window` no more restarts until `cooldown` is over (half-open: one try), which doubles each time it fails.
    """

    def __init__(
        self,
        threshold: int = 3,
        window: float = 300.0,
        cooldown: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._threshold, self._window, self._cooldown = threshold, window, cooldown
        self._clock, self._jitter = clock, jitter
        self._crashes: deque[float] = deque()
        self._opened = 0
        self.open = False

    def crashed(self) -> float | None:
        """Note a crash. Returns how long to wait before the restart; None when the breaker is open now."""
        now = self._clock()
        self._crashes.append(now)
        while self._crashes and self._crashes[0] <= now - self._window:
            self._crashes.popleft()
        if self.open or len(self._crashes) >= self._threshold:
            self.open = True
            self._opened += 1
            return None
        earlier = len(self._crashes) - 1
        return 0.0 if earlier == 0 else 0.1 * 2 ** (earlier - 1) * (1 + self._jitter())

    @property
    def crashes(self) -> int:
        """How many crashes there were within the window."""
        return len(self._crashes)

    @property
    def probe_after(self) -> float:
        """How long an open breaker waits before its half-open probe."""
        return float(min(self._cooldown * 2 ** max(0, self._opened - 1), 3600.0))

    def proved(self) -> None:
        """The process has stayed up long enough after a probe: close."""
        self.reset()

    def reset(self) -> None:
        """An operator did something about it: forget the past."""
        self._crashes.clear()
        self._opened, self.open = 0, False
