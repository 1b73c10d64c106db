"""A thread that notices when the plugin's event loop is blocked past a call's deadline, and ends the process.

Code that spins or blocks the loop cannot be interrupted from inside the loop. A thread still gets its turn (Python
switches threads every few milliseconds), unless C code holds the interpreter: for that the host has its heartbeat.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Protocol

__all__ = ["BLOCKED_LOOP", "Watchdog"]

#: The exit status that tells the host why.
BLOCKED_LOOP = 86
_LAST_WORDS = b"the plugin blocks its event loop past a call's deadline; ending the process\n"


class _Watched(Protocol):
    @property
    def busy(self) -> bool: ...


class Watchdog:
    """Ends this process when a deadline has passed by `grace` seconds and the loop does not answer for as long."""

    def __init__(self, loop: asyncio.AbstractEventLoop, grace: float) -> None:
        self._loop, self._grace = loop, grace
        self._deadlines: dict[_Watched, float] = {}
        self._wake = threading.Condition()
        self._sleeping_until = float("inf")
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="studio-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
            self._wake.notify()

    def watch(self, call: _Watched, timeout: float) -> None:
        """Expect `call` to end within `timeout` seconds."""
        due = time.monotonic() + timeout + self._grace
        self._deadlines[call] = due
        if due < self._sleeping_until:
            with self._wake:
                self._wake.notify()

    def unwatch(self, call: _Watched) -> None:
        """`call` has ended."""
        self._deadlines.pop(call, None)

    def _run(self) -> None:
        while not self._stopped:
            self._sleeping_until = float("inf")  # a deadline that comes from here on wakes us, or is seen below
            now = time.monotonic()
            overdue = [call for call, due in list(self._deadlines.items()) if due <= now]
            if overdue and not self._loop_answers():
                os.write(2, _LAST_WORDS)  # not through the log: a thread that is stuck may hold its lock
                os._exit(BLOCKED_LOOP)
            for call in overdue:
                self._deadlines.pop(call, None)
            with self._wake:
                self._sleeping_until = min(list(self._deadlines.values()), default=now + 3600.0)
                self._wake.wait(max(0.0, self._sleeping_until - time.monotonic()))

    def _loop_answers(self) -> bool:
        answered = threading.Event()
        try:
            self._loop.call_soon_threadsafe(answered.set)
        except RuntimeError:
            return True  # the loop is closed: the process is ending anyway
        return answered.wait(self._grace)
