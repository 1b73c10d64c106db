"""The launcher's output: each line with the name of the process that said it."""

import contextlib
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TextIO

from aichat.pluginlog import readable_lines

__all__ = ["LineSplitter", "Printer", "wants_colour"]

_COLOURS = {"system": "1;37", "redis": "31", "web": "32", "host": "36", "worker": "33", "beat": "35", "watch": "1;32"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\x1b.?")
_LONGEST_LINE = 1 << 16


class LineSplitter:
    """Bytes in, lines out; a line without an end is cut before it can fill the memory."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the lines that `chunk` completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        yield from map(_text, lines)
        if len(self._rest) > _LONGEST_LINE:
            yield from self.end()

    def end(self) -> Iterator[str]:
        """Yield what came after the last line's end, if anything did."""
        rest, self._rest = self._rest, b""
        if rest:
            yield _text(rest)


class Printer:
    """Writes `12:34:56 name   | line`, with a colour for each name where the terminal has colours."""

    def __init__(self, out: TextIO, names: tuple[str, ...], *, colour: bool, readable: bool = False) -> None:
        """Print to `out`; the widest of `names` sets the name column's width; `readable`: plugins' log too."""
        self._out = out
        self._width = max(len(name) for name in (*names, "system"))
        self._colour, self._readable = colour, readable
        self._lock = threading.Lock()

    def line(self, name: str, text: str) -> None:
        """Print one line that the process `name` wrote."""
        for each in readable_lines(text, colour=self._colour) if self._readable else [text]:
            self._print(name, _CONTROL.sub("", each))

    def _print(self, name: str, text: str) -> None:
        prefix = f"{time.strftime('%H:%M:%S')} {name:<{self._width}} |"
        if self._colour:
            prefix = f"\x1b[{_COLOURS.get(name, '34')}m{prefix}\x1b[0m"
            text = f"{text}\x1b[0m" if "\x1b" in text else text
        self._write(f"{prefix} {text if self._colour else _ESCAPE.sub('', text)}\n")

    def system(self, text: str) -> None:
        """Print what the launcher itself has to say."""
        for line in text.splitlines():
            self.line("system", line)

    def banner(self, text: str) -> None:
        """Print something that must be seen: unprefixed, with space around it."""
        self._write(f"\n{text}\n\n")

    def _write(self, text: str) -> None:
        # Whoever read it has gone, or the disk it goes to is full: nothing stops for that.
        with self._lock, contextlib.suppress(OSError):
            self._out.write(text)
            self._out.flush()


def wants_colour(out: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether `out` should get colours: a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _text(line: bytes) -> str:
    """Decode a line as what it is meant to be, without what would move the reader's cursor."""
    return _CONTROL.sub("", line.decode("utf-8", "replace").rstrip("\r"))


def print_error(text: str) -> None:
    """Print an error where errors go."""
    print(text, file=sys.stderr, flush=True)
