"""One run: a directory, a process in it, what came of it, and nothing left of either."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import mimetypes
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugins_app.sdk import PluginError

__all__ = ["Limits", "NotSandboxed", "run"]

_CAGE = Path(__file__).with_name("cage.py")
_OUTCOME_LIMIT = 256 * 1024
_MOST_FILES, _MOST_GIVEN = 200, 20
_LOOK_EVERY_S = 0.2
_START_S = 5.0
_ENVIRON = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg"}


class NotSandboxed(PluginError):
    """The kernel cannot hold the code, so it is not run."""

    code = "sandbox_missing"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may have: seconds, bytes."""

    seconds: float
    memory: int
    output: int
    files: int
    returned: int
    unsandboxed: bool = False


@dataclass(slots=True)
class _Ended:
    """How the process ended, and what it said."""

    status: int
    stdout: tuple[str, bool]
    stderr: tuple[str, bool]
    outcome: dict[str, Any] | None
    stopped: str = ""


async def run(code: str, files: Mapping[str, bytes], limits: Limits) -> dict[str, Any]:
    """Run the code, with `files` in its directory. What goes wrong in the code is part of the answer.

    Raises:
        NotSandboxed: the kernel lacks what would hold it.
    """
    directory = Path(tempfile.mkdtemp(prefix="run-"))
    try:
        for name, content in files.items():
            (directory / name).write_bytes(content)
        began = time.monotonic()
        ended = await _in_process(code, directory, limits)
        if ended.outcome is not None and (problem := ended.outcome.get("cage")):
            raise NotSandboxed(f"the code was not run: {problem}; an operator can set allow_unsandboxed")
        made = await asyncio.to_thread(_made, directory, files, limits)
        return _answer(ended, limits, time.monotonic() - began) | made
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


async def _in_process(code: str, directory: Path, limits: Limits) -> _Ended:
    async with _process(directory) as (process, outcome):
        job = {
            "code": code,
            "memory": limits.memory,
            "cpu_s": int(limits.seconds) + 2,
            "files": limits.files,
            "packages": [path for path in sys.path if path.startswith(str(_environment()))] if _environment() else [],
            "unsandboxed": limits.unsandboxed,
        }
        reading = asyncio.gather(
            _read(process.stdout, limits.output), _read(process.stderr, limits.output), _read(outcome, _OUTCOME_LIMIT)
        )
        watching = asyncio.create_task(_watch(directory, limits.files))
        waiting = asyncio.create_task(_fed(process, job))
        try:
            done, _ = await asyncio.wait(
                (waiting, watching), timeout=limits.seconds + _START_S / 5, return_when=asyncio.FIRST_COMPLETED
            )
            stopped = "" if waiting in done else "files" if watching in done else "time"
            _kill(process)
            await process.wait()
            stdout, stderr, said = await reading
        finally:
            for task in (watching, waiting, reading):
                task.cancel()
            await asyncio.gather(watching, waiting, reading, return_exceptions=True)
        return _Ended(process.returncode or 0, stdout, stderr, _parsed(said[0]), stopped)


def _environment() -> str:
    """Where this plugin's own packages are, which the code may use; empty when it has none."""
    return next((path for path in reversed(sys.path) if "/envs/" in path), "")


@asynccontextmanager
async def _process(directory: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
    """The process, waiting for its job; whatever happens in the block, it is gone afterwards."""
    loop = asyncio.get_running_loop()
    reader, writer = os.pipe()
    outcome = asyncio.StreamReader()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(outcome), os.fdopen(reader, "rb"))
    process = None
    try:
        try:
            # A shell's redirection without a shell: the outcome's descriptor is 3 in the process.
            process = await asyncio.create_subprocess_exec(
                os.path.realpath(sys.executable),
                *("-I", "-S", "-B", "-c", _LAUNCH, str(writer), str(_CAGE), str(os.getpid())),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(writer,),
                cwd=directory,
                env=_ENVIRON | {"HOME": str(directory), "TMPDIR": str(directory), "MPLCONFIGDIR": str(directory)},
                start_new_session=True,
            )
        finally:
            os.close(writer)
        yield process, outcome
    finally:
        if process is not None:
            _kill(process)
            await process.wait()
        pipe.close()


_LAUNCH = (
    "import os, runpy, sys; fd = int(sys.argv[1]); os.dup2(fd, 3); fd == 3 or os.close(fd); "
    "sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


async def _fed(process: asyncio.subprocess.Process, job: Mapping[str, Any]) -> None:
    """Give the process its job and wait for its end."""
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # it may end before it has read it
        process.stdin.write(json.dumps(job).encode())
        await process.stdin.drain()
        process.stdin.close()
    await process.wait()


async def _read(stream: asyncio.StreamReader | None, limit: int) -> tuple[str, bool]:
    """The beginning of what a stream says, and whether there was more. It is read to its end all the same."""
    assert stream is not None
    kept, more = bytearray(), False
    while piece := await stream.read(64 * 1024):
        kept += piece[: max(0, limit - len(kept))]
        more = more or len(kept) >= limit
    return kept.decode("utf-8", "replace"), more


async def _watch(directory: Path, limit: int) -> None:
    """Return when the files together are too large; the kernel only limits each."""
    while await asyncio.to_thread(_size, directory, limit) <= limit:
        await asyncio.sleep(_LOOK_EVERY_S)


def _size(directory: Path, limit: int) -> int:
    total = count = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            count += 1
            if count > _MOST_FILES * 10:
                return limit + 1
    return total


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _parsed(text: str) -> dict[str, Any] | None:
    """The outcome; the code can write there too, so it is only believed as far as it goes."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _answer(ended: _Ended, limits: Limits, seconds: float) -> dict[str, Any]:
    answer: dict[str, Any] = {"ok": False, "stdout": ended.stdout[0], "stderr": ended.stderr[0]}
    cut = [name for name, (_, more) in (("stdout", ended.stdout), ("stderr", ended.stderr)) if more]
    answer |= {"cut": cut} if cut else {}
    answer["duration_ms"] = round(seconds * 1000)
    outcome = ended.outcome
    if ended.stopped == "time" or ended.status in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
        return answer | {"error": f"stopped after {limits.seconds:g} s: the time limit"}
    if ended.stopped == "files":
        return answer | {"error": f"stopped: the files come to more than {limits.files // 2**20} MB"}
    if outcome is None:
        return answer | {"error": _death(ended.status, limits)}
    if outcome.get("memory"):
        return answer | {"error": f"MemoryError: more than {limits.memory // 2**20} MB"}
    if isinstance(outcome.get("error"), str):
        kept = {name: outcome[name] for name in ("error", "traceback") if isinstance(outcome.get(name), str)}
        return answer | kept
    value = {"value": outcome["value"]} if isinstance(outcome.get("value"), str) else {}
    return answer | {"ok": True} | value


def _death(status: int, limits: Limits) -> str:
    if status in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGKILL):
        return f"the process died ({signal.Signals(-status).name}), perhaps for more than {limits.memory // 2**20} MB"
    return f"the process ended with status {status} before the code was done"


def _made(directory: Path, given: Mapping[str, bytes], limits: Limits) -> dict[str, Any]:
    """The files that the run has made: small ones whole, pictures as attachments, the rest by name."""
    attachments: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    left = limits.returned
    found = sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    for path in found[:_MOST_FILES]:
        name, size = str(path.relative_to(directory)), path.stat().st_size
        if "__pycache__" in name or (size <= 2**20 and given.get(name) == path.read_bytes()):
            continue
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        entry = {"name": name, "bytes": size, "media_type": media_type}
        files.append(entry)
        if size <= left and len(attachments) < _MOST_GIVEN:
            left -= size
            kind = "image" if media_type.startswith("image/") and media_type != "image/svg+xml" else "file"
            data = base64.b64encode(path.read_bytes()).decode()
            attachments.append({"kind": kind, "name": name, "media_type": media_type, "data": data})
    return ({"files": files} if files else {}) | ({"attachments": attachments} if attachments else {})
