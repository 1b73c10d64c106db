"""One plugin process, as the host sees it: started or adopted, watched, drained, killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from plugins_app.process.spec import Failure, Ready, Report, Spec
from plugins_app.sdk.metadata import Limits
from plugins_app.wire import Drain, Frame, FrameProtocol, Hello, Ping, Pong, Unhealthy, socket_address

from .permissions import granted_environ, sandbox_for
from .records import Record, remove, start_time, write_record
from .store import HostPaths, Wanted
from .template import Template, TemplateGoneError

__all__ = ["PluginProcess", "StartError", "adopt", "start"]

#: Beyond the plugin's own limit: the time for import and a blocked loop to be noticed, in seconds.
_START_MARGIN = 2.0
_BACKLOG = 1024
_STATUS_PATIENCE = 0.1


class StartError(Exception):
    """The process did not get ready; `code` is stable, the rest is for people."""

    def __init__(self, code: str, detail: str, *, hint: str = "", traceback: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.hint, self.traceback = code, detail, hint, traceback


class _Supervision(FrameProtocol):
    """The host's own connection to a process."""

    def __init__(self, on_unhealthy: Callable[[str], None]) -> None:
        super().__init__()
        self.hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._on_unhealthy = on_unhealthy
        self._pongs: dict[int, asyncio.Future[Pong | None]] = {}
        self._seq = 0

    def frame_received(self, frame: Frame) -> None:
        if isinstance(frame, Hello) and not self.hello.done():
            self.hello.set_result(frame)
        elif isinstance(frame, Pong) and (waiting := self._pongs.pop(frame.seq, None)) is not None:
            if not waiting.done():
                waiting.set_result(frame)
        elif isinstance(frame, Unhealthy):
            self._on_unhealthy(frame.reason)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.hello.done():
            self.hello.set_exception(exc or ConnectionResetError("closed before the hello"))
            self.hello.exception()  # seen: whoever waits for it gets it, nobody else needs a warning
        for waiting in self._pongs.values():
            if not waiting.done():
                waiting.set_result(None)

    async def ping(self, timeout: float) -> Pong | None:
        """None when the process did not answer in time."""
        self._seq += 1
        waiting: asyncio.Future[Pong | None] = asyncio.get_running_loop().create_future()
        self._pongs[self._seq] = waiting
        self.send(Ping(self._seq))
        try:
            async with asyncio.timeout(timeout):
                return await waiting
        except TimeoutError:
            return None
        finally:
            self._pongs.pop(self._seq, None)


class PluginProcess:
    """A process that got ready."""

    def __init__(self, record: Record, directory: Path) -> None:
        self.record, self.directory = record, directory
        self.started_at = time.time()
        self.exited = asyncio.Event()
        self.exit_status: int | None = None
        self._status_came = asyncio.Event()
        self.unhealthy = asyncio.Event()
        self.unhealthy_reason = ""
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
        await connection.ping(timeout)  # from now on the process knows whom to tell
        return hello

    async def ping(self, timeout: float) -> Pong | None:
        """None when the process did not answer in time."""
        if self._supervision is None or self._supervision.closed:
            return None
        return await self._supervision.ping(timeout)

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

    async def drain(self, timeout: float | None = None) -> None:
        """Let it finish what it has and end; after the limit and a margin it is killed. Returns when it is gone."""
        self.ordered_to_end = True
        limit = self.record.drain_timeout if timeout is None else timeout
        if self._supervision is not None and not self._supervision.closed:
            self._supervision.send(Drain(limit))
        else:
            self.kill()
        try:
            async with asyncio.timeout(limit + 11.0):  # shutdown() has 10 s of its own
                await self.exited.wait()
        except TimeoutError:
            self.kill()
            await self.exited.wait()


async def start(wanted: Wanted, paths: HostPaths, template: Template, serial: int) -> PluginProcess:
    """Start the process of a release and wait until it is ready.

    Raises:
        StartError: it did not get ready, and which of the ways this was.
    """
    if wanted.problem is not None:
        problem = dict(wanted.problem)
        raise StartError(str(problem.get("code")), str(problem.get("detail")), hint=str(problem.get("hint", "")))
    limits = Limits(**{k: v for k, v in dict(wanted.metadata.get("limits") or {}).items() if k in Limits.__slots__})
    directory, name = paths.plugin(wanted.plugin_id), f"g{wanted.generation}-{serial}.sock"
    work_dir = paths.work / wanted.plugin_id / f"g{wanted.generation}-{serial}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    spec = _spec(wanted, limits, paths, work_dir)
    started = False
    try:
        pid, report = await _launch(spec, limits, directory / name, template)
        began = start_time(pid)
        if began is None:
            raise StartError("process_died", "the process ended as soon as it was ready")
        record = Record(
            wanted.plugin_id,
            wanted.generation,
            wanted.digest,
            pid,
            began,
            name,
            str(work_dir),
            limits.drain_timeout_s,
            limits.memory_mb * 1024 * 1024,
        )
        process = PluginProcess(record, directory)
        process.sandbox = report.sandbox
        write_record(directory, record)
        try:
            await process.connect()
        except (OSError, TimeoutError) as error:
            process.kill()
            raise StartError("process_died", f"the process ended as soon as it was ready: {error}") from error
        started = True
        return process
    finally:
        if not started:
            remove(directory, name)
            shutil.rmtree(work_dir, ignore_errors=True)


def _spec(wanted: Wanted, limits: Limits, paths: HostPaths, work_dir: Path) -> Spec:
    code_dir = paths.store / wanted.plugin_id / wanted.digest
    if not code_dir.is_dir():
        text = f"the snapshot {wanted.digest[:12]} of {wanted.plugin_id} is not in this node's store"
        raise StartError("digest_missing", text, hint="Reload the plugin to take a new snapshot of its folder.")
    env_dir = paths.envs / wanted.environment if wanted.environment else None
    if env_dir is not None and not env_dir.is_dir():
        text = f"the Python environment of {wanted.plugin_id} is not installed on this node"
        raise StartError("environment_missing", text, hint="Load the plugin again to install it.")
    readable = [code_dir, *([env_dir] if env_dir else [])]
    return Spec(
        plugin_id=wanted.plugin_id,
        package=wanted.folder.replace("-", "_"),
        code_dir=str(code_dir),
        work_dir=str(work_dir),
        generation=wanted.generation,
        digest=wanted.digest,
        env_dir=str(env_dir) if env_dir else None,
        entry=wanted.metadata.get("entry"),
        manifest=dict(wanted.metadata),
        config=dict(wanted.config),
        environ=granted_environ(wanted.granted),
        sandbox=sandbox_for(wanted.granted, readable=readable, writable=[work_dir], memory_mb=limits.memory_mb),
        init_timeout=limits.init_timeout_s,
        call_timeout=limits.call_timeout_s,
        concurrency=limits.concurrency,
    )


async def _launch(spec: Spec, limits: Limits, path: Path, template: Template) -> tuple[int, Ready]:
    listener = _listen(path)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours:
        with listener, theirs:
            pid = await _fork(template, listener, theirs)
        report = await _answer(ours, spec, limits, pid)
    if isinstance(report, Failure):
        raise StartError(report.code, report.message, hint=report.hint, traceback=report.traceback)
    return pid, report


async def _answer(channel: socket.socket, spec: Spec, limits: Limits, pid: int) -> Report:
    try:
        async with asyncio.timeout(limits.init_timeout_s + _START_MARGIN):
            return await _exchange(channel, spec)
    except (EOFError, OSError) as error:
        if not isinstance(error, TimeoutError):
            raise StartError("process_died", "the process died before it was ready; its log may say why") from error
        _kill_own(pid)
        text = f"initialize was not done after {limits.init_timeout_s:g} s, and blocked its event loop"
        raise StartError("initialize_timeout", text, hint="Use async calls or a thread for slow work.") from error
    except asyncio.CancelledError:
        _kill_own(pid)
        raise


def _kill_own(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def _fork(template: Template, listener: socket.socket, channel: socket.socket) -> int:
    try:
        return await template.fork(listener, channel)
    except TemplateGoneError:
        return await template.fork(listener, channel)  # once more, from a new one


async def _exchange(channel: socket.socket, spec: Spec) -> Report:
    loop = asyncio.get_running_loop()
    body = msgspec.msgpack.encode(spec)
    await loop.sock_sendall(channel, len(body).to_bytes(4, "big") + body)
    size = int.from_bytes(await _exactly(loop, channel, 4), "big")
    report: Report = msgspec.msgpack.decode(await _exactly(loop, channel, size), type=Report)
    return report


async def _exactly(loop: asyncio.AbstractEventLoop, channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await loop.sock_recv(channel, size - len(data))
        if not part:
            raise EOFError("the process closed its channel")
        data += part
    return data


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
