"""What a plugin prints, as lines of its log: each says which plugin it is from, and passes what the log passes."""

from __future__ import annotations

import contextlib
import contextvars
import io
import logging
import sys
import threading
from typing import TextIO

__all__ = ["PrintedLines", "capture_prints"]

_LONGEST = 1 << 16
#: Whether a line is being logged right now: what the log itself writes then must not come back to it.
_logging_now: contextvars.ContextVar[bool] = contextvars.ContextVar("logging_now", default=False)


class _Begun(threading.local):
    """The line that a thread has begun: two that print at once do not get into each other's lines."""

    text = ""


class PrintedLines(io.TextIOBase):
    """A text stream whose lines become log records; a `flush` ends a line too."""

    def __init__(self, name: str, level: int, beneath: TextIO) -> None:
        """Log as `name` with `level`; `beneath` is where the log's own complaints go."""
        super().__init__()
        self._logger, self._level, self._beneath, self._begun = logging.getLogger(name), level, beneath, _Begun()

    @property
    def buffer(self) -> object:
        """For code that writes bytes: they pass by the log."""
        return self._beneath.buffer

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._beneath.fileno()

    def write(self, text: str, /) -> int:
        if _logging_now.get():
            with contextlib.suppress(OSError, ValueError):
                self._beneath.write(text)
            return len(text)
        *lines, self._begun.text = (self._begun.text + text).split("\n")
        for line in lines:
            self._log(line)
        if len(self._begun.text) > _LONGEST:
            self.flush()
        return len(text)

    def flush(self) -> None:
        line, self._begun.text = self._begun.text, ""
        self._log(line)

    def _log(self, line: str) -> None:
        if not line.strip():
            return
        token = _logging_now.set(True)
        try:
            self._logger.log(self._level, "%s", line.rstrip())
        finally:
            _logging_now.reset(token)


def capture_prints() -> None:
    """Send what is printed from now on to the log, which has been set up on the streams as they were."""
    beneath = sys.stderr
    sys.stdout = PrintedLines("print", logging.INFO, beneath)
    sys.stderr = PrintedLines("stderr", logging.WARNING, beneath)
