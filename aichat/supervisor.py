"""Keep a handful of processes running, print what they say, and leave none of them behind.

honcho, foreman and their like end everything when one process ends. Here one that dies is started again, a little later
each time, while the others go on. `docs/decisions.md` says why this is not a library.

Three things make sure that nothing is left: every process has a process group of its own, which is signalled as a
whole; the kernel sends each a SIGTERM when this process dies (`aichat.tethered`); and the launcher adopts orphans
(`adopt_orphans`), so that a grandchild whose parent was killed is still its to stop.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from aichat.printer import LineSplitter, Printer

__all__ = ["Backoff", "ProcessSpec", "Supervisor", "adopt_orphans", "describe_exit", "kill_descendants", "reap_orphans"]

_TETHERED = Path(__file__).with_name("tethered.py")
_PR_SET_CHILD_SUBREAPER = 36
_READ_SIZE = 1 << 16


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run: a name for people, a command, and when it is stopped (phase 0 goes first)."""

    name: str
    command: Sequence[str]
    stop_phase: int = 0
    stop_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before starting a process again: twice as long each time, until it has run for a while."""

    first: float = 0.5
    longest: float = 5.0
    settled_after: float = 60.0

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after the `failures`th failure in a row (from 1)."""
        return float(min(self.longest, self.first * 2 ** min(failures - 1, 32)))


@dataclass(slots=True)
class _Running:
    spec: ProcessSpec
    process: subprocess.Popen[bytes]


class Supervisor:
    """Runs processes in the current event loop until `stop` is called."""

    def __init__(
        self,
        printer: Printer,
        environ: Mapping[str, str],
        *,
        backoff: Backoff | None = None,
        directory: Path | None = None,
        on_change: Callable[[dict[str, int]], None] | None = None,
    ) -> None:
        """Run everything with `environ` in `directory`; `on_change` is told the pids by name whenever they change."""
        self._printer = printer
        self._environ = dict(environ)
        self._backoff = backoff or Backoff()
        self._directory = directory
        self._on_change = on_change
        self._running: dict[str, _Running] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._readers: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run now, by name."""
        return {name: running.process.pid for name, running in self._running.items()}

    def start(self, specs: Iterable[ProcessSpec]) -> None:
        """Start each process and keep it running."""
        for spec in specs:
            self._keepers[spec.name] = asyncio.create_task(self._keep(spec), name=f"keep {spec.name}")

    async def run_once(self, name: str, command: Sequence[str]) -> int:
        """Run a command to its end, its output printed like everyone's, and return its exit status."""
        running = self._spawn(ProcessSpec(name, command))
        await self._until_gone(running)
        return running.process.returncode

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Stop every process, phase by phase; once `hurry` is set, nobody is waited for any more."""
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)
        for phase in sorted({running.spec.stop_phase for running in self._running.values()}):
            batch = [running for running in self._running.values() if running.spec.stop_phase == phase]
            await asyncio.gather(*(self._stop_one(running, hurry or asyncio.Event()) for running in batch))

    async def close(self, limit: float = 2.0) -> None:
        """Print what is left to read; whoever still holds an output open after `limit` seconds is not listened to."""
        if self._readers:
            await asyncio.wait(self._readers, timeout=limit)
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _keep(self, spec: ProcessSpec) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            how = await self._once(spec)
            lasted = time.monotonic() - began
            failures = 1 if lasted >= self._backoff.settled_after else failures + 1
            delay = self._backoff.delay(failures)
            self._printer.system(f"{spec.name} {how} after {lasted:.1f} s; starting it again in {delay:.1f} s")
            await asyncio.sleep(delay)

    async def _once(self, spec: ProcessSpec) -> str:
        """Run a process to its end, and say how it ended."""
        try:
            running = self._spawn(spec)
        except OSError as error:  # too many processes or open files: that passes
            return f"cannot be started ({error})"
        await self._until_gone(running)
        return describe_exit(running.process.returncode)

    def _spawn(self, spec: ProcessSpec) -> _Running:
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_TETHERED), str(os.getpid()), *spec.command],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=self._environ,
                cwd=self._directory,
                start_new_session=True,
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        running = _Running(spec, process)
        self._running[spec.name] = running
        reader = asyncio.create_task(self._read(spec.name, reading), name=f"read {spec.name}")
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        self._changed()
        return running

    async def _until_gone(self, running: _Running) -> None:
        """Wait for the process, not for the end of its output: what it left behind may hold that open for long."""
        loop = asyncio.get_running_loop()
        descriptor = os.pidfd_open(running.process.pid)
        exited = asyncio.Event()
        loop.add_reader(descriptor, exited.set)
        try:
            await exited.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        # Its workers go with it. Before it is waited for, because until then nobody else can get its number.
        _signal_group(running.process.pid, signal.SIGKILL)
        running.process.wait()
        self._running.pop(running.spec.name, None)
        self._changed()

    async def _read(self, name: str, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
        )
        lines = LineSplitter()
        try:
            while chunk := await stream.read(_READ_SIZE):
                for line in lines.feed(chunk):
                    self._printer.line(name, line)
            for line in lines.end():
                self._printer.line(name, line)
        finally:
            transport.close()

    async def _stop_one(self, running: _Running, hurry: asyncio.Event) -> None:
        pid = running.process.pid
        waiter = asyncio.create_task(self._until_gone(running))
        hurried = asyncio.create_task(hurry.wait())
        if not hurry.is_set():
            _signal_group(pid, signal.SIGTERM)
            await asyncio.wait({waiter, hurried}, timeout=running.spec.stop_seconds, return_when="FIRST_COMPLETED")
        if not waiter.done():
            self._printer.system(f"{running.spec.name} did not stop in time and is killed")
            _signal_group(pid, signal.SIGKILL)
        hurried.cancel()
        await waiter

    def _changed(self) -> None:
        if self._on_change is None:
            return
        try:
            self._on_change(self.pids)
        except OSError as error:  # a full disk must not keep anything from being started again
            self._printer.system(f"which processes run cannot be written down: {error}")


def describe_exit(status: int) -> str:
    """Say in words what an exit status means."""
    if status >= 0:
        return f"ended with status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, in place of the machine's init."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(ours: Iterable[int]) -> None:
    """Collect the adopted processes that have ended, except `ours`, which somebody else waits for."""
    known = set(ours)
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.pid not in known and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def kill_descendants() -> None:
    """Kill everything below this process, orphans it adopted among them. Only for a process that is all ours."""
    while left := psutil.Process().children(recursive=True):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=5)


def _signal_group(pid: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signum)
