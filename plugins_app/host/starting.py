"""From a wanted release to a plugin process that is ready."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from plugins_app.process.spec import Failure, Handover, Ready, Report, Spec
from plugins_app.sdk.metadata import Limits
from plugins_app.wire import socket_address

from .permissions import granted_environ, sandbox_for
from .process import PluginProcess
from .records import Record, boot_id, remove, start_time, write_record
from .store import HostPaths, Wanted
from .template import Template, TemplateGoneError

__all__ = ["StartError", "is_here", "start"]

#: Beyond the plugin's own limit: the time for import and a blocked loop to be noticed, in seconds.
_START_MARGIN = 2.0
_BACKLOG = 1024
#: How long the old generation may take to say what it leaves, in seconds.
_STATE_PATIENCE = 10.0
_log = logging.getLogger(__name__)


class StartError(Exception):
    """The process did not get ready; `code` is stable, `errors` name fields, the rest is for people."""

    def __init__(
        self, code: str, detail: str, *, hint: str = "", traceback: str = "", errors: Sequence[Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.hint, self.traceback = code, detail, hint, traceback
        self.errors = list(errors or [])


def is_here(wanted: Wanted, paths: HostPaths) -> bool:
    """Whether the files and packages of a release are on this node."""
    code = paths.store / wanted.plugin_id / wanted.digest
    return code.is_dir() and (wanted.environment is None or (paths.envs / wanted.environment).is_dir())


async def start(
    wanted: Wanted, paths: HostPaths, template: Template, serial: int, old: PluginProcess | None = None
) -> PluginProcess:
    """Start the process of a release and wait until it is ready, with the state of `old` where it wants that.

    Raises:
        StartError: it did not get ready, and which of the ways this was.
    """
    if wanted.problem is not None:
        problem = dict(wanted.problem)
        hint, errors = str(problem.get("hint", "")), problem.get("errors")
        raise StartError(str(problem.get("code")), str(problem.get("detail")), hint=hint, errors=errors)
    limits = Limits(**{k: v for k, v in dict(wanted.metadata.get("limits") or {}).items() if k in Limits.__slots__})
    directory, name = paths.plugin(wanted.plugin_id), f"g{wanted.generation}-{serial}.sock"
    work_dir = paths.work / wanted.plugin_id / f"g{wanted.generation}-{serial}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    spec = _spec(wanted, limits, paths, work_dir)
    started = False
    try:
        pid, report = await _launch(spec, limits, directory / name, template, old)
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
            boot_id(),
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
        secrets=list(wanted.secrets),
        environ=granted_environ(wanted.granted),
        sandbox=sandbox_for(wanted.granted, readable=readable, writable=[work_dir], memory_mb=limits.memory_mb),
        init_timeout=limits.init_timeout_s,
        call_timeout=limits.call_timeout_s,
        concurrency=limits.concurrency,
    )


async def _launch(
    spec: Spec, limits: Limits, path: Path, template: Template, old: PluginProcess | None
) -> tuple[int, Ready]:
    listener = _listen(path)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours:
        with listener, theirs:
            pid = await _fork(template, listener, theirs)
        report = await _answer(ours, spec, limits, pid)
        if isinstance(report, Ready) and report.wants_state:
            report = await _handed_over(ours, await _left_by(old), limits, pid)
    if isinstance(report, Failure):
        raise StartError(report.code, report.message, hint=report.hint, traceback=report.traceback)
    return pid, report


async def _answer(channel: socket.socket, spec: Spec, limits: Limits, pid: int) -> Report:
    text = f"initialize was not done after {limits.init_timeout_s:g} s, and blocked its event loop"
    slow = StartError("initialize_timeout", text, hint="Use async calls or a thread for slow work.")
    return await _in_time(_exchange(channel, spec), limits, pid, slow)


async def _handed_over(channel: socket.socket, left: Handover, limits: Limits, pid: int) -> Report:
    text = f"migrate_state was not done after {limits.init_timeout_s:g} s, and blocked its event loop"
    return await _in_time(_exchange(channel, left), limits, pid, StartError("migrate_failed", text))


async def _left_by(old: PluginProcess | None) -> Handover:
    """What the process that serves would leave. One that cannot say must not keep its successor from coming."""
    if old is None:
        return Handover()
    state = await old.state(_STATE_PATIENCE)
    if state is None or state.error:
        reason = state.error if state is not None else f"no answer within {_STATE_PATIENCE:g} s"
        _log.warning("%s generation %s leaves no state: %s", old.record.plugin_id, old.generation, reason)
        return Handover()
    return Handover(state.values, state.version, old.generation)


async def _in_time(report: Awaitable[Report], limits: Limits, pid: int, slow: StartError) -> Report:
    try:
        async with asyncio.timeout(limits.init_timeout_s + _START_MARGIN):
            return await report
    except (EOFError, OSError) as error:
        if not isinstance(error, TimeoutError):
            raise StartError("process_died", "the process died before it was ready; its log may say why") from error
        _kill_own(pid)
        raise slow from error
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


async def _exchange(channel: socket.socket, message: Spec | Handover) -> Report:
    loop = asyncio.get_running_loop()
    body = msgspec.msgpack.encode(message)
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
