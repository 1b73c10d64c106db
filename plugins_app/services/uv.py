"""Running `uv`: what it says while it works, stopping it at once, its own words when it fails. Needs no database."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

__all__ = ["Steps", "UvError", "is_network_failure", "run_uv", "uv_cache"]

STEP_TIMEOUT = 900.0
_TICK = 0.2
_LONGEST_WORDS = 1000
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_PASSED_ON_PREFIXES = ("UV_", "PIP_")
_NETWORK = re.compile(
    r"failed to fetch|error sending request|dns error|tcp connect|timed out|are you offline|failed to download"
    r"|connection (refused|reset|closed)|network is unreachable",
    re.IGNORECASE,
)
_NO_ROOM = re.compile(r"no space left on device|disk quota exceeded|os error 28\b|os error 122\b", re.IGNORECASE)

Watch = Callable[[str | None], None]


class UvError(Exception):
    """uv failed; the text is its own last words, shortened."""

    def __init__(self, words: str) -> None:
        super().__init__(_shortened(words))
        self.is_network = is_network_failure(words)


def is_network_failure(words: str) -> bool:
    """Whether what uv says means that the package index could not be reached."""
    return bool(_NETWORK.search(words))


def run_uv(*arguments: str, watch: Watch) -> None:
    """Run uv to its end. `watch` gets each line it says, and None a few times a second; what it raises stops uv.

    Raises:
        UvError: uv failed.
    """
    beside = Path(sys.executable).with_name("uv")
    command = [str(beside) if beside.exists() else "uv", *arguments]
    said: list[str] = []
    # In the worker's own process group: it goes with the worker, however that ends.
    with subprocess.Popen(command, env=_environ(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            for line in _lines(process):
                if line is not None:
                    said.append(line)
                watch(line)
            status = process.wait()
        except BaseException:  # a task that is stopped, too: uv must not go on alone
            _kill(process.pid)
            raise
    if status:
        raise UvError("\n".join(said[-200:]))


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str | None]:
    """What it says, line by line, with None whenever it has said nothing for a moment."""
    assert process.stderr is not None
    descriptor, rest = process.stderr.fileno(), b""
    deadline = time.monotonic() + STEP_TIMEOUT
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if time.monotonic() > deadline:
                raise UvError(f"it took longer than {STEP_TIMEOUT:.0f} s")
            if not selector.select(_TICK):
                yield None
                continue
            chunk = os.read(descriptor, 65536)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
            if not chunk:
                yield from ([rest.decode(errors="replace")] if rest else [])
                return


def _kill(pid: int) -> None:
    """End uv and what it builds with."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue


def _environ() -> dict[str, str]:
    """Nothing of the studio's own environment but what finding packages needs."""
    # Like pip, take the machine's certificates: behind a proxy of one's own, uv's built-in ones are not enough.
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    return {"UV_SYSTEM_CERTS": "1", "NO_COLOR": "1"} | passed_on


def uv_cache() -> Path:
    """Where uv keeps what it has downloaded, or the nearest folder above that is there."""
    path = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _shortened(words: str) -> str:
    """Without addresses and signs that are nobody's business; a full disk is said first."""
    told = re.sub(r"[\w+]+://\S+", "…", words)
    lines = [line.strip(" ×╰─▶├│") for line in told.splitlines() if line.strip()]
    text = " ".join(lines)[:_LONGEST_WORDS] or "uv gave no reason"
    return f"There is no room on the disk. {text}"[:_LONGEST_WORDS] if _NO_ROOM.search(words) else text


class Steps:
    """Makes words and a fraction of what uv says."""

    def __init__(self, begin: float, end: float) -> None:
        self._begin, self._end = begin, end
        self._announced: list[str] = []
        self._done, self._reached = 0, 0.0

    def read(self, line: str) -> tuple[float, str] | None:
        """How far it is and what it does, when the line tells."""
        text = line.strip()
        if match := re.match(r"Downloading (\S+) \((.+)\)", text):
            self._announced.append(match[1])
            return self._downloading(match[1])
        if match := re.match(r"Downloaded (\S+)", text):
            self._done += 1
            return self._downloading(match[1])
        if match := re.match(r"Building (\S+)", text):
            return self._at(0.2), f"building {match[1]}"
        if match := re.match(r"Resolved (\d+) packages?", text):
            return self._at(0.1), f"{match[1]} package{'s' if match[1] != '1' else ''} chosen"
        if text.startswith("Prepared "):
            return self._at(0.8), "installing"
        return (self._at(0.9), "compiling") if text.startswith("Installed ") else None

    def _downloading(self, name: str) -> tuple[float, str]:
        count = len(self._announced)
        now = min(self._done + 1, count)
        return self._at(0.15 + 0.6 * self._done / max(count, 1)), f"downloading {now} of {count}: {name}"

    def _at(self, part: float) -> float:
        self._reached = max(self._reached, part)  # what is announced later makes nothing undone
        return self._begin + (self._end - self._begin) * self._reached
