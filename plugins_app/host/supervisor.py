"""Makes what serves of one plugin equal to what is wanted of it, and keeps it so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

from plugins_app.process.watchdog import BLOCKED_LOOP

from . import process as processes
from .breaker import Breaker
from .process import PluginProcess, StartError
from .records import set_current
from .store import HostPaths, Observed, Wanted
from .template import Template

__all__ = ["Node", "Supervisor"]

_PING_EVERY, _PING_TIMEOUT = 2.0, 10.0
_PROVED_AFTER = 10.0
_log = logging.getLogger(__name__)


class Node(Protocol):
    """What a supervisor needs of the host around it."""

    paths: HostPaths
    template: Template

    def serial(self) -> int: ...

    def is_active(self, plugin_id: str) -> bool: ...

    def started(self, process: PluginProcess) -> None: ...

    def changed(self) -> None: ...

    def report(self, plugin_id: str, observed: Observed) -> None: ...

    def event(self, event: str, plugin_id: str, data: Mapping[str, Any]) -> None: ...


class Supervisor:
    """One plugin on this node. `wanted` is set from outside, followed by `wake()`."""

    def __init__(self, node: Node, plugin_id: str, observed: Observed, adopted: PluginProcess | None = None) -> None:
        self._node, self.plugin_id, self.observed = node, plugin_id, observed
        self.wanted: Wanted | None = None
        self.current: PluginProcess | None = adopted
        self._breaker = Breaker()
        self._wake = asyncio.Event()
        self._superseded = asyncio.Event()
        self._informed = False
        self._given_up: int | None = None
        self._retry_at: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether it serves."""
        return self.current is not None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"supervise {self.plugin_id}")
        if self.current is not None:
            self._watch(self.current)

    def want(self, wanted: Wanted | None) -> None:
        """What should serve from now on; the same again changes nothing."""
        same = self.wanted is wanted or (
            self.wanted is not None and wanted is not None and self.wanted.generation == wanted.generation
        )
        if same and self._informed:
            return
        self.wanted, self._informed = wanted, True
        self._breaker.reset()
        self._retry_at = None
        self._superseded.set()
        self.wake()

    def wake(self) -> None:
        """Look again."""
        self._wake.set()

    async def stop(self, drain_timeout: float) -> None:
        """Drain what runs and end, without changing what is wanted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if (process := self.current) is not None:
            self.current = None
            process.ordered_to_end = True
            set_current(process.directory, None)
            await process.drain(drain_timeout)
            self._observe(state="inactive", generation=None, pid=None, rss_bytes=None)
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # converging

    async def _run(self) -> None:
        while True:
            timeout = None if self._retry_at is None else max(0.0, self._retry_at - time.monotonic())
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                self._retry_at = None
            self._wake.clear()
            try:
                await self._converge()
            except Exception:  # noqa: BLE001 - a fault of the host in one plugin's care must not end the care of all
                _log.exception("cannot converge %s; trying again", self.plugin_id)
                self._retry_at = time.monotonic() + 1.0

    async def _converge(self) -> None:
        wanted, current = self.wanted, self.current
        if wanted is None:
            self._unload(current)
        elif current is not None and current.generation == wanted.generation:
            self._observe_active(current)
        elif self._retry_at is not None or self._given_up == wanted.generation:
            return
        elif missing := [each for each in wanted.dependencies if not self._node.is_active(each)]:
            names = ", ".join(missing)
            error = _error("dependency_not_active", f"waits for {names}, which does not serve", recoverable=True)
            self._observe(state="blocked" if current is None else "active", error=error)
        else:
            await self._replace(wanted)

    def _unload(self, current: PluginProcess | None) -> None:
        if current is not None:
            self.current = None
            set_current(current.directory, None)  # first: whoever asks now is told that it is not loaded
            self._observe(state="draining", generation=None)
            self._spawn(self._drain_away(current))
        elif self.observed.state not in ("available", "inactive", "error", "draining") or self._breaker_error():
            self._observe(state="inactive", generation=None, pid=None, error=None)

    def _breaker_error(self) -> bool:
        return self.observed.state == "error" and (self.observed.error or {}).get("code") == "breaker_open"

    async def _drain_away(self, process: PluginProcess) -> None:
        await process.drain()
        if self.current is None and self.observed.state == "draining":
            self._observe(state="inactive", generation=None, digest=None, pid=None, rss_bytes=None, error=None)
            self._node.event("plugin_unloaded", self.plugin_id, {"generation": process.generation})
        self._node.changed()

    async def _replace(self, wanted: Wanted) -> None:
        """Start the wanted release beside what serves, and swap when it is ready."""
        proven = self._is_proven(wanted.generation)
        if self.current is None:
            self._observe(state="loading", generation=None)
        self._superseded.clear()
        try:
            process = await self._start_unless_superseded(wanted)
        except StartError as error:
            self._start_failed(wanted, error, proven)
            return
        if process is not None:
            self._swap(process, proven)

    async def _start_unless_superseded(self, wanted: Wanted) -> PluginProcess | None:
        """The ready process; None when something else was wanted before it was ready."""
        start = asyncio.ensure_future(
            processes.start(wanted, self._node.paths, self._node.template, self._node.serial())
        )
        other = asyncio.ensure_future(self._superseded.wait())
        try:
            await asyncio.wait((start, other), return_when=asyncio.FIRST_COMPLETED)
            if not start.done():
                return None
            process = start.result()
            self._node.started(process)
            return process
        finally:
            other.cancel()
            start.cancel()
            await asyncio.gather(start, other, return_exceptions=True)

    def _is_proven(self, generation: int) -> bool:
        """Whether this release has served here before: then a failure to start is a crash, not a bad release."""
        failed = (self.observed.error or {}).get("generation")
        return (self.observed.attempted >= generation and failed != generation) or self._breaker.crashes > 0

    def _swap(self, process: PluginProcess, proven: bool) -> None:
        old = self.current
        set_current(process.directory, process.record.socket)
        self.current = process
        self._watch(process)
        restarts = self.observed.restarts + (1 if self._breaker.crashes else 0)
        self.observed = replace(self.observed, error=None, restarts=restarts, calls=0, errors=0)
        self._observe_active(process)
        data = {"generation": process.generation, "digest": process.record.digest}
        if old is not None and old.generation != process.generation:
            self._node.event("plugin_reloaded", self.plugin_id, data | {"old_generation": old.generation})
        elif old is None:
            self._node.event("plugin_recovered" if proven else "plugin_loaded", self.plugin_id, data)
        if old is not None:
            self._spawn(_drain(old))
        self._node.changed()

    def _start_failed(self, wanted: Wanted, error: StartError, proven: bool) -> None:
        _log.warning("%s generation %s did not get ready: %s: %s", self.plugin_id, wanted.generation, error.code, error)
        told = _error(error.code, error.detail, hint=error.hint, traceback=error.traceback)
        told["generation"] = wanted.generation
        if self.current is not None:
            self._given_up = wanted.generation
            self._observe(state="active", attempted=wanted.generation, error=told)
        elif proven:
            data = {"generation": wanted.generation, "code": error.code, "detail": error.detail}
            self._node.event("plugin_failed", self.plugin_id, data)
            self._recover_later(told)
        else:
            self._given_up = wanted.generation
            self._observe(
                state="error", generation=None, digest=None, pid=None, attempted=wanted.generation, error=told
            )

    # watching

    def _watch(self, process: PluginProcess) -> None:
        self._spawn(self._watch_exit(process))
        self._spawn(self._watch_health(process))

    async def _watch_exit(self, process: PluginProcess) -> None:
        await process.exited.wait()
        if process.ordered_to_end or self.current is not process:
            return
        await process.status_known()
        if self.current is not process:
            return
        self.current = None
        reason = _exit_reason(process.exit_status)
        blocked = process.exit_status == BLOCKED_LOOP
        self._node.event("plugin_crashed", self.plugin_id, {"generation": process.generation, "reason": reason})
        if blocked:  # replaced as often as needed: each time costs its caller the whole deadline
            self._observe(state="loading", pid=None)
            self.wake()
        else:
            self._recover_later(_error("process_died", f"the process died: {reason}", recoverable=True))

    def _recover_later(self, error: dict[str, Any]) -> None:
        """Restart with backoff, or stop trying for a while."""
        if self.wanted is None:
            self.wake()
            return
        delay = self._breaker.crashed()
        if delay is None:
            seconds = self._breaker.probe_after
            detail = (
                f"{error['detail']}; {self._breaker.crashes} crashes in 5 minutes, so it is not restarted"
                f" for {seconds:g} s"
            )
            told = _error("breaker_open", detail, hint="Reload it when the cause is gone, or wait for the next try.")
            told |= {"recoverable": True, "retry_after": seconds, "traceback": error.get("traceback", "")}
            set_current(self._node.paths.plugin(self.plugin_id), None)
            self._observe(state="error", generation=None, pid=None, error=told)
            self._retry_at = time.monotonic() + seconds
        else:
            self._observe(state="loading", generation=None, pid=None)
            self._retry_at = time.monotonic() + delay
        self.wake()

    async def _watch_health(self, process: PluginProcess) -> None:
        since = time.monotonic()
        while not process.exited.is_set() and self.current is process:
            if await _first_of(process.unhealthy, process.exited, timeout=_PING_EVERY):
                break
            pong = await process.ping(_PING_TIMEOUT)
            if self.current is not process or process.exited.is_set():
                return
            if pong is None:
                _log.warning("%s does not answer its heartbeat; killing it", self.plugin_id)
                self._node.event("plugin_crashed", self.plugin_id, {"reason": "no heartbeat"})
                process.kill()
                process.ordered_to_end = False
                return
            memory, limit = process.memory(), process.record.memory_bytes
            if memory is not None and limit is not None and memory > limit:
                process.unhealthy_reason = f"it uses {memory >> 20} MiB, its limit is {limit >> 20} MiB"
                process.unhealthy.set()
            if self._breaker.open and time.monotonic() - since > _PROVED_AFTER:
                self._breaker.proved()
            self._observe(calls=pong.calls, errors=pong.errors, rss_bytes=memory, quiet=True)
        if process.unhealthy.is_set() and self.current is process and not process.exited.is_set():
            await self._renew(process)

    async def _renew(self, process: PluginProcess) -> None:
        """Put a fresh process of the same release in the place of a sick one, and let that finish what it can."""
        _log.warning("%s is replaced: %s", self.plugin_id, process.unhealthy_reason)
        data = {"generation": process.generation, "reason": process.unhealthy_reason}
        self._node.event("plugin_crashed", self.plugin_id, data)
        wanted = self.wanted
        if wanted is None or wanted.generation != process.generation:
            return
        try:
            fresh = await processes.start(wanted, self._node.paths, self._node.template, self._node.serial())
        except StartError as error:
            _log.warning("%s has no fresh process: %s; the sick one goes on", self.plugin_id, error.code)
            return
        self._node.started(fresh)
        if self.current is not process:
            fresh.kill()
            return
        self._swap(fresh, proven=True)

    # telling

    def _observe_active(self, process: PluginProcess) -> None:
        self._observe(
            state="active",
            generation=process.generation,
            digest=process.record.digest,
            pid=process.pid,
            attempted=max(self.observed.attempted, process.generation),
            started_at=process.started_at,
        )

    def _observe(self, *, quiet: bool = False, **changes: Any) -> None:
        """Note a change; a `quiet` one (counters) is written only when it is noticeable."""
        before, self.observed = self.observed, replace(self.observed, **changes)
        if self.observed != before and (not quiet or _noticeable(before, self.observed)):
            self._node.report(self.plugin_id, self.observed)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("care of %s failed", self.plugin_id, exc_info=error)
        self._node.changed()


async def _drain(process: PluginProcess) -> None:
    await process.drain()


async def _first_of(*events: asyncio.Event, timeout: float) -> bool:
    """Whether one of the events came within `timeout` seconds."""
    tasks = [asyncio.get_running_loop().create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for task in tasks:
            task.cancel()


def _noticeable(before: Observed, after: Observed) -> bool:
    grown = abs((after.rss_bytes or 0) - (before.rss_bytes or 0)) > 1 << 20
    return before.calls != after.calls or before.errors != after.errors or grown or before.rss_bytes is None


def _error(code: str, detail: str, *, hint: str = "", traceback: str = "", recoverable: bool = False) -> dict[str, Any]:
    title = _TITLES.get(code, "The plugin did not get ready")
    return {
        "code": code,
        "title": title,
        "detail": detail,
        "hint": hint,
        "traceback": traceback,
        "recoverable": recoverable,
        "at": time.time(),
    }


_TITLES = {
    "import_failed": "The plugin's code cannot be imported",
    "no_class": "The folder has no plugin class",
    "several_classes": "The folder has several plugin classes",
    "metadata_failed": "The plugin's metadata cannot be read",
    "config_invalid": "The plugin refuses its configuration",
    "initialize_raised": "initialize raised an error",
    "initialize_returned_false": "initialize returned False",
    "initialize_timeout": "initialize took too long",
    "process_died": "The plugin process died",
    "breaker_open": "The plugin keeps crashing",
    "dependency_not_active": "A dependency does not serve",
    "environment_missing": "The plugin's packages are not installed",
    "digest_missing": "The plugin's files are not in the store",
}


def _exit_reason(status: int | None) -> str:
    if status is None:
        return "it is gone"
    if status == BLOCKED_LOOP:
        return "it blocked its event loop past the deadline of a call"
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"
