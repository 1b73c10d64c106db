"""Answers calls on the socket that the host bound: many at once, each within its deadline, until drained."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from plugins_app.sdk.base import BasePlugin
from plugins_app.sdk.metadata import PluginMetadata
from plugins_app.sdk.methods import declared_methods
from plugins_app.wire import (
    Call,
    Cancel,
    Credit,
    Drain,
    Error,
    Frame,
    FrameProtocol,
    Goaway,
    Hello,
    HostResult,
    Ping,
    Pong,
    Refused,
    State,
    StateRequest,
    Unhealthy,
)

from .calls import RunningCall
from .loader import outcome_of
from .scrubbing import ScrubbedFrames, Scrubber
from .spec import Spec
from .targets import CallRejected, Target, Targets
from .watchdog import Watchdog

__all__ = ["CallServer"]

#: How long a cancelled call may take to end before it counts as stuck, in seconds.
GRACE = 0.1
#: How many calls may wait for each that runs, before callers are told to come back later.
WAITING_PER_SLOT = 4


class CallServer:
    """One plugin instance, served."""

    def __init__(self, plugin: BasePlugin, metadata: PluginMetadata, spec: Spec) -> None:
        self.plugin, self.metadata, self.spec = plugin, metadata, spec
        self.methods = declared_methods(type(plugin), metadata.plugin_type)
        self._targets = Targets(plugin, self.methods)
        self.connections: set[Connection] = set()
        self.supervisor: Connection | None = None
        self.running: set[RunningCall] = set()
        self.draining = self._ending = False
        self.calls = self.errors = 0
        self._drain_timeout = 0.0
        self._loop = asyncio.get_running_loop()
        self._timers: dict[RunningCall, asyncio.TimerHandle] = {}
        self._handovers: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[RunningCall, Target]] = deque()
        self._drain_asked = asyncio.Event()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._executor = ThreadPoolExecutor(spec.concurrency, thread_name_prefix="plugin")
        self._watchdog = Watchdog(asyncio.get_running_loop(), GRACE)

    async def serve(self, listener: socket.socket) -> None:
        """Accept and answer until drained."""
        loop = asyncio.get_running_loop()
        scrubber = Scrubber(self.spec.secrets)
        self._server = await loop.create_unix_server(
            lambda: ScrubbedConnection(self, scrubber) if scrubber else Connection(self), sock=listener
        )
        self._watchdog.start()
        await self._drain_asked.wait()
        await self._finish()

    def hello(self) -> Hello:
        spec = self.spec
        repeatable = [name for name, info in self.methods.items() if info.idempotent]
        facts = (spec.plugin_id, spec.generation, spec.digest, os.getpid(), spec.call_timeout)
        return Hello(*facts, repeatable, list(self.methods))

    # calls

    def start(self, call: Call, peer: Connection) -> None:
        """Begin a call, queue it, or say why not."""
        if self.draining and (self._ending or not call.held):
            peer.send(Refused(call.id))
            return
        try:
            target = self._targets.resolve(call)
        except CallRejected as rejected:
            peer.send(Error(call.id, rejected.code, str(rejected)))
            return
        if self._is_full(call, peer):
            return
        timeout = self.spec.call_timeout if call.timeout is None else call.timeout
        kind = self.metadata.plugin_type
        running = RunningCall(call, peer, kind, timeout, self._executor, self._answered, self._ended)
        self.calls += 1
        self.running.add(running)
        peer.calls[call.id] = running
        self._watchdog.watch(running, timeout)
        self._timers[running] = self._loop.call_later(timeout, self._deadline_reached, running)
        if len(self.running) > self.spec.concurrency:
            self._waiting.append((running, target))
        else:
            running.launch(target)

    def _is_full(self, call: Call, peer: Connection) -> bool:
        limit = self.spec.concurrency
        if len(self.running) < limit * (1 + WAITING_PER_SLOT):
            return False
        text = f"{self.spec.plugin_id} has {len(self.running)} calls under way or waiting; its limit is {limit} at once"
        peer.send(Error(call.id, "overloaded", text, retryable=True, data={"retry_after": 1.0}))
        return True

    def _answered(self, running: RunningCall) -> None:
        self.errors += running.failed
        if (timer := self._timers.pop(running, None)) is not None:
            timer.cancel()
        if len(self.running) == 1:  # nobody to share a write with
            running.peer.flush()
        running.peer.forget(running)  # type: ignore[attr-defined]  # always a Connection here
        self._changed.set()

    def _ended(self, running: RunningCall) -> None:
        threads = [each for each in running.threads if not each.done()]
        if threads:  # a thread goes on after its call was given up: it still takes a place
            loop = asyncio.get_running_loop()
            threads[0].add_done_callback(lambda _: loop.call_soon_threadsafe(self._settle, running))
        else:
            self._settle(running)

    def _settle(self, running: RunningCall) -> None:
        self._watchdog.unwatch(running)
        self.running.discard(running)
        while self._waiting and len(self.running) - len(self._waiting) < self.spec.concurrency:
            waiting, target = self._waiting.popleft()
            if waiting.answered:  # its time was up, or its caller gone, while it waited
                self._settle(waiting)
            else:
                waiting.launch(target)
        self._changed.set()

    def _deadline_reached(self, running: RunningCall) -> None:
        text = f"{running.call.method} was not done after {running.timeout:g} s"
        running.answer(Error(running.call.id, "deadline_exceeded", text, "DeadlineExceeded", retryable=True))
        self.give_up(running)

    def give_up(self, running: RunningCall) -> None:
        """Cancel a call; if its code does not stop, ask for a fresh process."""
        running.cancelled = True
        if running.task is None:  # still waiting for a place: it is dropped when its turn comes
            running.answer(Error(running.call.id, "cancelled", "the call was cancelled", "Cancelled"))
            return
        running.task.cancel()
        asyncio.get_running_loop().call_later(GRACE, self._check_stuck, running)

    def _check_stuck(self, running: RunningCall) -> None:
        if running.busy and running.overdue:
            self.report_unhealthy(f"{running.call.method} does not stop")
        elif running.busy:  # cancelled before its time: it may take until then
            remaining = max(0.0, running.started + running.timeout - time.monotonic())
            asyncio.get_running_loop().call_later(remaining + GRACE, self._check_stuck, running)

    def report_unhealthy(self, reason: str) -> None:
        """Ask the host for a fresh process."""
        if self.supervisor is not None and not self.supervisor.closed:
            self.supervisor.send(Unhealthy(reason))

    # handing over

    def hand_over(self, seq: int, peer: Connection) -> None:
        """Answer what this instance would leave to the next generation."""
        task = asyncio.get_running_loop().create_task(self._left(seq, peer))
        self._handovers.add(task)
        task.add_done_callback(self._handovers.discard)

    async def _left(self, seq: int, peer: Connection) -> None:
        version = self.metadata.version
        try:
            values = dict(await outcome_of(self.plugin.export_state) or {})
            peer.send(State(seq, values, version))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the next one then starts without state
            peer.send(State(seq, {}, version, f"export_state raised {type(error).__name__}: {error}"))

    # draining

    def drain(self, timeout: float) -> None:
        """Take no new calls, finish the ones there are."""
        if self.draining:
            return
        self.draining, self._drain_timeout = True, timeout
        self._drain_asked.set()

    async def _finish(self) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self.connections):
            connection.go_away()
        try:
            async with asyncio.timeout(self._drain_timeout):
                while self._unfinished() or any(each is not self.supervisor for each in self.connections):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._ending = True
            await self._cut_off()
        self._ending = True
        self._watchdog.stop()

    def _unfinished(self) -> list[RunningCall]:
        return [each for each in self.running if not (each.answered and each.overdue)]

    async def _cut_off(self) -> None:
        text = f"the plugin was replaced and this call was not done within the drain limit of {self._drain_timeout:g} s"
        tasks = []
        for running in list(self.running):
            running.answer(Error(running.call.id, "drain_timeout", text, "Cancelled", retryable=True))
            if running.task is not None:
                running.task.cancel()
                tasks.append(running.task)
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE)

    def connection_closed(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if self.supervisor is connection:
            self.supervisor = None
        for running in list(connection.calls.values()):
            self.give_up(running)
        self._changed.set()


class Connection(FrameProtocol):
    """One client, or the supervising host."""

    def __init__(self, server: CallServer) -> None:
        super().__init__()
        self._server_of_calls = server
        self.calls: dict[int, RunningCall] = {}
        self._exclusive = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server_of_calls.connections.add(self)
        self.send(self._server_of_calls.hello())
        if self._server_of_calls.draining:
            self.go_away()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server_of_calls.connection_closed(self)

    def go_away(self) -> None:
        """Announce the end. A client that multiplexes closes when it is done; an idle exclusive one is cut off."""
        if self is self._server_of_calls.supervisor:
            return
        self.send(Goaway())
        self._close_when_idle()

    def forget(self, running: RunningCall) -> None:
        """A call of this connection has ended."""
        self.calls.pop(running.call.id, None)
        if self._server_of_calls.draining:
            self._close_when_idle()

    def _close_when_idle(self) -> None:
        if self._exclusive and not self.calls:
            self.flush()
            self.shutdown_reading()

    def frame_received(self, frame: Frame) -> None:
        server = self._server_of_calls
        if isinstance(frame, Call):
            self._exclusive = frame.exclusive
            server.start(frame, self)
            if server.draining:
                self._close_when_idle()
        elif isinstance(frame, Credit):
            if (running := self.calls.get(frame.id)) is not None:
                running.credit_received(frame)
        elif isinstance(frame, HostResult):
            if (running := self.calls.get(frame.id)) is not None:
                running.host_result_received(frame)
        elif isinstance(frame, Cancel):
            if (running := self.calls.get(frame.id)) is not None:
                server.give_up(running)
        elif isinstance(frame, Ping):
            server.supervisor = self
            self.send(Pong(frame.seq, server.calls, server.errors, len(server.running)))
        elif isinstance(frame, StateRequest):
            server.hand_over(frame.seq, self)
        elif isinstance(frame, Drain):
            server.supervisor = self
            server.drain(frame.timeout)


class ScrubbedConnection(ScrubbedFrames, Connection):
    """The same, of a plugin that has secrets."""

    def __init__(self, server: CallServer, scrubber: Scrubber) -> None:
        super().__init__(server)
        self.scrubber = scrubber
