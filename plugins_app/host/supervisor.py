"""Makes what serves of one plugin equal to what is wanted of it, and keeps it so."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

from plugins_app.process.watchdog import BLOCKED_LOOP
from plugins_app.wire import Pong

from . import starting
from .breaker import Breaker
from .health import until_sick
from .process import PluginProcess
from .records import set_current
from .reporting import Node, Reporter
from .starting import StartError
from .store import Observed, Wanted
from .telling import exit_reason, told
from .trial import Trial

__all__ = ["Supervisor"]

_PROVED_AFTER = 10.0
_SLOW_AFTER = 10.0
#: How long the old generation may take to confirm that it takes no more calls; one with a blocked loop cannot.
_HANDOVER_PATIENCE = 0.5
_log = logging.getLogger(__name__)


class Supervisor(Reporter):
    """One plugin on this node. `wanted` is set from outside, followed by `wake()`."""

    def __init__(self, node: Node, plugin_id: str, observed: Observed, adopted: PluginProcess | None = None) -> None:
        super().__init__(node, plugin_id, observed)
        self.wanted: Wanted | None = None
        self.current: PluginProcess | None = adopted
        self.needs: tuple[str, ...] = ()
        self._breaker = Breaker()
        self._wake = asyncio.Event()
        self._superseded = asyncio.Event()
        self._informed = False
        self._given_up: int | None = None
        self._retry_at: float | None = None
        self._standing_in: Wanted | None = None
        self._rolled_back_from: int | None = None
        self._trial = Trial(self._passed)
        self._leaving = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether it serves."""
        return self.current is not None

    @property
    def present(self) -> bool:
        """Whether there is a process of it, if only one that finishes its last calls."""
        return self.current is not None or self._leaving > 0

    @property
    def _target(self) -> Wanted | None:
        """What to serve: what is wanted, or what stands in for it after a rollback."""
        return self._standing_in or self.wanted

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
        standing_in, self._standing_in = self._standing_in, None
        if standing_in is not None and wanted is not None and wanted.generation == standing_in.generation:
            self.wanted = wanted  # the failed release was taken back: what serves already is what is wanted now
            return
        self.wanted, self._informed = wanted, True
        self.needs = wanted.dependencies if wanted is not None else self.needs
        self._standing_in = self._rolled_back(wanted)
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
        self._trial.end()
        if (process := self.current) is not None:
            self.current = None
            process.ordered_to_end = True
            set_current(process.directory, None)
            self._observe(state="draining", generation=None)
            await process.drain(drain_timeout)
        if self.observed.state not in ("available", "inactive", "error"):
            self._observe(state="inactive", generation=None, pid=None, rss_bytes=None, message="")
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
        wanted, current = self._target, self.current
        if wanted is not None and current is None and self.observed.state == "active":
            self._observe(state="loading", generation=None, pid=None)  # its process died while nobody watched
        if wanted is None:
            self._unload(current)
        elif current is not None and current.generation == wanted.generation:
            self._observe_active(current)
            self._begin_trial(current)
        elif self._retry_at is not None or self._given_up == wanted.generation:
            return
        elif missing := self._missing(wanted):
            names = ", ".join(missing)
            error = told("dependency_not_active", f"waits for {names}, which does not serve", recoverable=True)
            self._observe(state="blocked" if current is None else "active", error=error)
        else:
            await self._replace(wanted)

    def _missing(self, wanted: Wanted) -> list[str]:
        """The dependencies that do not serve, or not yet the generation that was asked for together with this one."""
        needed = {each: wanted.requires.get(each, 0) for each in wanted.dependencies}
        return [each for each, at_least in needed.items() if not self._node.is_active(each, at_least)]

    def _unload(self, current: PluginProcess | None) -> None:
        if current is not None and self._node.is_in_use(self.plugin_id):
            return  # a plugin that depends on it finishes its last calls first; `changed` wakes us then
        self._trial.end()
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
        await self._drain(process)
        if self.current is None and self.observed.state == "draining":
            self._observe(state="inactive", generation=None, digest=None, pid=None, rss_bytes=None, error=None)
            self._node.event("plugin_unloaded", self.plugin_id, {"generation": process.generation})
        self._node.changed()

    async def _replace(self, wanted: Wanted) -> None:
        """Start the wanted release beside what serves, and swap when it is ready."""
        proven = self._is_proven(wanted.generation)
        self._superseded.clear()
        try:
            process = await self._start_unless_superseded(wanted)
        except StartError as error:
            self._start_failed(wanted, error, proven)
            return
        if process is not None:
            await self._swap(process, proven)

    async def _start_unless_superseded(self, wanted: Wanted) -> PluginProcess | None:
        """The ready process; None when something else was wanted before it was ready."""
        start = asyncio.ensure_future(self._start(wanted))
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

    async def _start(self, wanted: Wanted) -> PluginProcess:
        """Bring what is missing on this node, then start. Raises StartError."""
        if not starting.is_here(wanted, self._node.paths) and wanted.problem is None:
            if self.current is None:
                self._observe(state="installing", generation=None)
            problem = await self._node.prepare(wanted)
            if problem is not None:
                raise StartError(str(problem["code"]), str(problem["detail"]), hint=str(problem.get("hint") or ""))
        if self.current is None:
            self._observe(state="loading", generation=None, message="")
        slow = asyncio.get_running_loop().call_later(_SLOW_AFTER, self._is_slow, wanted)
        try:
            return await self._new_process(wanted)
        finally:
            slow.cancel()

    async def _new_process(self, wanted: Wanted) -> PluginProcess:
        node = self._node
        return await starting.start(wanted, node.paths, node.template, node.serial(), self.current)

    def _is_slow(self, wanted: Wanted) -> None:
        limit = (wanted.metadata.get("limits") or {}).get("init_timeout_s", 30)
        words = f"initialize has been running for {_SLOW_AFTER:g} s; its limit is {limit:g} s"
        _log.warning("%s generation %s: %s", self.plugin_id, wanted.generation, words)
        self._observe(message=words)

    def _is_proven(self, generation: int) -> bool:
        """Whether this release has served here before: then a failure to start is a crash, not a bad release."""
        failed = (self.observed.error or {}).get("generation")
        return (self.observed.attempted >= generation and failed != generation) or self._breaker.crashes > 0

    async def _swap(self, process: PluginProcess, proven: bool) -> None:
        """Put the process in the place of what serves. Nobody is told before the old one takes no calls any more."""
        old = self.current
        set_current(process.directory, process.record.socket)
        self.current = process
        self._watch(process)
        restarts = self.observed.restarts + (1 if self._breaker.crashes else 0)
        error = self.observed.error if self._standing_in is not None else None
        self.observed = replace(self.observed, error=error, restarts=restarts, calls=0, errors=0, message="")
        self._begin_trial(process)
        if old is not None:
            old.order_to_drain()
            self._spawn(self._drain(old))
            await old.ping(_HANDOVER_PATIENCE)
        if self.current is process:  # else it has died meanwhile, which is told already
            self._observe_active(process)
            self._announce(process, old, proven)
        self._node.changed()

    def _announce(self, process: PluginProcess, old: PluginProcess | None, proven: bool) -> None:
        data: dict[str, Any] = {"generation": process.generation, "digest": process.record.digest}
        failed, self._rolled_back_from = self._rolled_back_from, None
        if failed is not None:
            data |= {"old_generation": failed, "cause": "rollback"}
            self._node.event("plugin_reloaded", self.plugin_id, data)
        elif old is not None and old.generation != process.generation:
            self._node.event("plugin_reloaded", self.plugin_id, data | {"old_generation": old.generation})
        elif old is None:
            self._node.event("plugin_recovered" if proven else "plugin_loaded", self.plugin_id, data)

    def _start_failed(self, wanted: Wanted, error: StartError, proven: bool) -> None:
        _log.warning("%s generation %s did not get ready: %s: %s", self.plugin_id, wanted.generation, error.code, error)
        problem = told(error.code, error.detail, hint=error.hint, traceback=error.traceback)
        problem |= {"errors": error.errors} if error.errors else {}
        problem["generation"] = wanted.generation
        data = {"generation": wanted.generation, "code": error.code, "detail": error.detail}
        self._node.event("plugin_failed", self.plugin_id, data)
        if self.current is not None:
            self._given_up = wanted.generation
            attempted = max(self.observed.attempted, wanted.generation)
            self._observe(state="active", attempted=attempted, error=problem, message="")
        elif proven:
            self._recover_later(problem)
        else:
            self._given_up = wanted.generation
            changes: dict[str, Any] = {"generation": None, "digest": None, "pid": None, "message": ""}
            self._observe(state="error", attempted=wanted.generation, error=problem, **changes)

    # on trial

    def _begin_trial(self, process: PluginProcess) -> None:
        """A generation that serves for the first time is on trial; one that has passed is not any more."""
        if self._target is not None and (self.observed.committed or 0) < process.generation:
            self._trial.begin(process, self._target.soak)

    def _passed(self, generation: int) -> None:
        if self.current is not None and self.current.generation == generation:
            self._observe(committed=generation)

    def _fallback(self, process: PluginProcess) -> Wanted | None:
        """What to go back to when this process fails now; None when it is not on trial, or there is nothing."""
        wanted = self.wanted
        if wanted is None or self._standing_in is not None or not self._trial.is_of(process):
            return None
        return wanted.fallback if wanted.generation == process.generation else None

    def _rolled_back(self, wanted: Wanted | None) -> Wanted | None:
        """What stands in for a release that a host on this node has rolled back, as its row says."""
        error = self.observed.error or {}
        failed = error.get("code") == "soak_failed" and wanted is not None and error.get("generation")
        return wanted.fallback if wanted is not None and failed == wanted.generation else None

    def _roll_back(self, failed: PluginProcess, fallback: Wanted, reason: str) -> None:
        """Serve what was there before. Whoever writes what is wanted learns it from the row, and follows."""
        generation = failed.generation
        detail = (
            f"generation {generation} failed {failed.record.age:.0f} s after its start: {reason};"
            f" generation {fallback.generation} serves again"
        )
        _log.warning("%s is rolled back: %s", self.plugin_id, detail)
        problem = told("soak_failed", detail, hint="Correct the plugin, then reload it.", recoverable=True)
        problem |= {"generation": generation, "rolled_back_to": fallback.generation}
        data = {"generation": generation, "code": "soak_failed", "detail": detail}
        self._node.event("plugin_failed", self.plugin_id, data | {"rolled_back_to": fallback.generation})
        self._trial.end()
        self._standing_in, self._rolled_back_from = fallback, generation
        gone: dict[str, Any] = {"state": "loading", "generation": None, "pid": None} if self.current is None else {}
        self._observe(attempted=generation, error=problem, **gone)
        self.wake()

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
        reason = process.unhealthy_reason or exit_reason(process.exit_status)
        blocked = process.exit_status == BLOCKED_LOOP
        self._node.event("plugin_crashed", self.plugin_id, {"generation": process.generation, "reason": reason})
        if blocked:  # replaced as often as needed: each time costs its caller the whole deadline
            self._observe(state="loading", pid=None)
            self.wake()
        elif (fallback := self._fallback(process)) is not None:
            self._roll_back(process, fallback, reason)
        else:
            self._recover_later(told("process_died", f"the process died: {reason}", recoverable=True))

    def _recover_later(self, error: dict[str, Any]) -> None:
        """Restart with backoff, or stop trying for a while."""
        if self._target is None:
            self.wake()
            return
        delay = self._breaker.crashed()
        if delay is None:
            seconds = self._breaker.probe_after
            detail = (
                f"{error['detail']}; {self._breaker.crashes} crashes in 5 minutes, so it is not restarted"
                f" for {seconds:g} s"
            )
            problem = told("breaker_open", detail, hint="Reload it when the cause is gone, or wait for the next try.")
            problem |= {"recoverable": True, "retry_after": seconds, "traceback": error.get("traceback", "")}
            if self._standing_in is not None and self.wanted is not None:
                problem["generation"] = self.wanted.generation  # rejected it stays, whatever became of its stand-in
            set_current(self._node.paths.plugin(self.plugin_id), None)
            self._observe(state="error", generation=None, pid=None, error=problem, message="")
            self._retry_at = time.monotonic() + seconds
        else:
            self._observe(state="loading", generation=None, pid=None)
            self._retry_at = time.monotonic() + delay
        self.wake()

    async def _watch_health(self, process: PluginProcess) -> None:
        since = time.monotonic()

        def seen(pong: Pong, memory: int | None) -> None:
            if self._breaker.open and time.monotonic() - since > _PROVED_AFTER:
                self._breaker.proved()
            self._observe(calls=pong.calls, errors=pong.errors, rss_bytes=memory, quiet=True)

        if await until_sick(process, lambda: self.current is process, seen):
            await self._renew(process)

    async def _renew(self, process: PluginProcess) -> None:
        """Put a fresh process of the same release in the place of a sick one, and let that finish what it can."""
        _log.warning("%s is replaced: %s", self.plugin_id, process.unhealthy_reason)
        data = {"generation": process.generation, "reason": process.unhealthy_reason}
        self._node.event("plugin_crashed", self.plugin_id, data)
        if process.over_limit and (fallback := self._fallback(process)) is not None:
            self._roll_back(process, fallback, process.unhealthy_reason)
            return
        wanted = self._target
        if wanted is None or wanted.generation != process.generation:
            return
        try:
            fresh = await self._new_process(wanted)
        except StartError as error:
            _log.warning("%s has no fresh process: %s; the sick one goes on", self.plugin_id, error.code)
            return
        self._node.started(fresh)
        if self.current is not process:
            fresh.kill()
            return
        await self._swap(fresh, proven=True)

    async def _drain(self, process: PluginProcess) -> None:
        self._leaving += 1
        try:
            await process.drain()
        finally:
            self._leaving -= 1
