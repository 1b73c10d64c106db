"""One plugin process that got ready, as the host sees it: watched, drained, killed, or adopted from an earlier host."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plugins_app.wire import (
    Drain,
    Frame,
    FrameProtocol,
    Hello,
    Ping,
    Pong,
    State,
    StateRequest,
    Unhealthy,
    socket_address,
)

from .records import Record, remove

__all__ = ["PluginProcess", "adopt"]

_STATUS_PATIENCE = 0.1


class _Supervision(FrameProtocol):
    """The host's own connection to a process."""

    def __init__(self, on_unhealthy: Callable[[str], None]) -> None:
        super().__init__()
        self.hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._on_unhealthy = on_unhealthy
        self._answers: dict[int, asyncio.Future[Pong | State | None]] = {}
        self._seq = 0

    def frame_received(self, frame: Frame) -> None:
        if isinstance(frame, Hello) and not self.hello.done():
            self.hello.set_result(frame)
        elif isinstance(frame, Pong | State) and (waiting := self._answers.pop(frame.seq, None)) is not None:
            if not waiting.done():
                waiting.set_result(frame)
        elif isinstance(frame, Unhealthy):
            self._on_unhealthy(frame.reason)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.hello.done():
            self.hello.set_exception(exc or ConnectionResetError("closed before the hello"))
            self.hello.exception()  # seen: whoever waits for it gets it, nobody else needs a warning
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_result(None)

    async def ask(self, request: type[Ping] | type[StateRequest], timeout: float) -> Pong | State | None:
        """None when the process did not answer in time."""
        self._seq += 1
        seq = self._seq
        waiting: asyncio.Future[Pong | State | None] = asyncio.get_running_loop().create_future()
        self._answers[seq] = waiting
        self.send(request(seq))
        try:
            async with asyncio.timeout(timeout):
                return await waiting
        except TimeoutError:
            return None
        finally:
            self._answers.pop(seq, None)


class PluginProcess:
    """A process that got ready."""

    def __init__(self, record: Record, directory: Path) -> None:
        self.record, self.directory = record, directory
        self.started_at = time.time() - record.age
        self.exited = asyncio.Event()
        self.exit_status: int | None = None
        self._status_came = asyncio.Event()
        self.unhealthy = asyncio.Event()
        self.unhealthy_reason = ""
        self.over_limit = False
        self.ordered_to_end = False
        self.sandbox: dict[str, Any] = {}
        self._supervision: _Supervision | None = None
        self._pidfd = os.pidfd_open(record.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_exit)

    @property
    def generation(self) -> int:
        return self.record.generation

    @property
    def pid(self) -> int:
        return self.record.pid

    def _on_exit(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        remove(self.directory, self.record.socket)
        shutil.rmtree(self.record.work_dir, ignore_errors=True)
        if self._supervision is not None and self._supervision.transport is not None:
            self._supervision.transport.abort()
        self.exited.set()

    def exit_status_received(self, status: int) -> None:
        """The template, its parent, has seen it end."""
        self.exit_status = status
        self._status_came.set()

    async def status_known(self) -> None:
        """Wait for the exit status, which comes within milliseconds, or never when the template died too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STATUS_PATIENCE):
                await self._status_came.wait()

    def _report_unhealthy(self, reason: str) -> None:
        self.unhealthy_reason = reason
        self.unhealthy.set()

    async def connect(self, timeout: float = 5.0) -> Hello:
        """Open the supervising connection. Raises OSError or TimeoutError."""
        with socket_address(self.directory / self.record.socket) as address:
            _, connection = await asyncio.get_running_loop().create_unix_connection(
                lambda: _Supervision(self._report_unhealthy), address
            )
        self._supervision = connection
        async with asyncio.timeout(timeout):
            hello = await connection.hello
        await connection.ask(Ping, timeout)  # from now on the process knows whom to tell
        return hello

    async def ping(self, timeout: float) -> Pong | None:
        """None when the process did not answer in time."""
        answer = await self._ask(Ping, timeout)
        return answer if isinstance(answer, Pong) else None

    async def state(self, timeout: float) -> State | None:
        """What this generation would leave to the next; None when it does not answer in time."""
        answer = await self._ask(StateRequest, timeout)
        return answer if isinstance(answer, State) else None

    async def _ask(self, request: type[Ping] | type[StateRequest], timeout: float) -> Pong | State | None:
        if self._supervision is None or self._supervision.closed:
            return None
        return await self._supervision.ask(request, timeout)

    def memory(self) -> int | None:
        """Resident memory in bytes."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return None
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """SIGKILL, by descriptor: never to a process that was given the pid since."""
        self.ordered_to_end = True
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def order_to_drain(self, timeout: float | None = None) -> float:
        """Tell it to take no new calls and to finish what it has; returns the limit for that, in seconds.

        Frames arrive in order: a `ping` that is answered afterwards says that it takes no new calls any more.
        """
        self.ordered_to_end = True
        limit = self.record.drain_timeout if timeout is None else timeout
        if self._supervision is not None and not self._supervision.closed:
            self._supervision.send(Drain(limit))
        else:
            self.kill()
        return limit

    async def drain(self, timeout: float | None = None) -> None:
        """Let it finish what it has and end; after the limit and a margin it is killed. Returns when it is gone."""
        limit = self.order_to_drain(timeout)
        try:
            async with asyncio.timeout(limit + 11.0):  # shutdown() has 10 s of its own
                await self.exited.wait()
        except TimeoutError:
            self.kill()
            await self.exited.wait()


async def adopt(record: Record, directory: Path) -> PluginProcess | None:
    """Take over a process that an earlier host started; None when it is gone or does not answer as itself."""
    if not record.alive:
        return None
    try:
        process = PluginProcess(record, directory)
    except OSError:
        return None
    try:
        hello = await process.connect()
    except (OSError, TimeoutError):
        process.kill()
        return None
    if (hello.pid, hello.generation, hello.digest) != (record.pid, record.generation, record.digest):
        process.kill()
        return None
    return process
