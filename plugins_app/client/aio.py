"""The asyncio client: one multiplexed connection per plugin."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from plugins_app.wire import (
    Cancel,
    Credit,
    End,
    Error,
    Frame,
    FrameProtocol,
    FrameTooLargeError,
    Goaway,
    Hello,
    HostCall,
    HostResult,
    Items,
    Progress,
    Refused,
    Result,
    socket_address,
)

from .common import DEADLINE_GRACE, CallPlan, CallResult, HostRequest, ProgressCallback, link_of
from .errors import CallError, told

__all__ = ["AsyncClient", "HostCallback", "Stream"]

HostCallback = Callable[[HostRequest], Awaitable[Any]]

#: How many stream items may be under way.
WINDOW = 256
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05


class _Sink(Protocol):
    """Whoever waits for the frames of one call."""

    def received(self, frame: Frame) -> None: ...

    def lost(self) -> None: ...


class Connection(FrameProtocol):
    """One connection to one plugin process."""

    def __init__(self) -> None:
        super().__init__()
        self.hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self.going_away = False
        self._sinks: dict[int, _Sink] = {}
        self._last_id = 0

    @property
    def usable(self) -> bool:
        """Whether a new call may be sent."""
        return not self.closed and not self.going_away

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def register(self, call_id: int, sink: _Sink) -> None:
        self._sinks[call_id] = sink

    def forget(self, call_id: int) -> None:
        """The call has ended, whoever ended it."""
        self._sinks.pop(call_id, None)
        if self.going_away and not self._sinks:
            self.close()

    def close(self) -> None:
        if self.transport is not None:
            self.flush()
            self.transport.close()

    def frame_received(self, frame: Frame) -> None:
        if isinstance(frame, Hello):
            if not self.hello.done():
                self.hello.set_result(frame)
        elif isinstance(frame, Goaway):
            self.going_away = True
            if not self._sinks:
                self.close()
        elif (sink := self._sinks.get(getattr(frame, "id", 0))) is not None:
            sink.received(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.hello.done():
            self.hello.set_exception(exc or ConnectionResetError("closed before the hello"))
            self.hello.exception()  # seen: whoever waits for it gets it, nobody else needs a warning
        for sink in list(self._sinks.values()):
            sink.lost()
        self._sinks.clear()


class _Refused(Exception):
    """The process took no new calls; the call was never started."""


class _Pending:
    """One call's answer, awaited."""

    def __init__(
        self, connection: Connection, plan: CallPlan, progress: ProgressCallback | None, host: HostCallback | None
    ) -> None:
        self.connection, self.plan = connection, plan
        self.hello = connection.hello.result()
        self.id = connection.next_id()
        self._progress, self._host = progress, host
        self._host_tasks: set[asyncio.Task[None]] = set()
        self.outcome: asyncio.Future[CallResult] = asyncio.get_running_loop().create_future()

    def received(self, frame: Frame) -> None:
        if isinstance(frame, Result):
            self._settle(self.plan.result(frame, self.hello))
        elif isinstance(frame, Error):
            self._fail(self.plan.error(frame))
        elif isinstance(frame, Refused):
            self._fail(_Refused())
        elif isinstance(frame, Progress):
            if self._progress is not None:
                self._progress(frame.fraction, frame.message, frame.data)
        elif isinstance(frame, HostCall):
            answer_host_call(self, frame, self._host, self._host_tasks)

    def lost(self) -> None:
        self._fail(self.plan.lost(self.hello) or _Refused())

    def _settle(self, result: CallResult) -> None:
        if not self.outcome.done():
            self.outcome.set_result(result)

    def _fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)

    async def wait(self) -> CallResult:
        """The result. Raises CallError or _Refused; cancels the call in the plugin when this task is cancelled."""
        remaining = self.plan.deadline(self.hello) + DEADLINE_GRACE - time.monotonic()
        try:
            async with asyncio.timeout(remaining):
                return await self.outcome
        except TimeoutError:
            self.connection.send(Cancel(self.id))
            raise self.plan.deadline_exceeded(self.hello) from None
        except asyncio.CancelledError:
            self.connection.send(Cancel(self.id))
            raise
        finally:
            self.connection.forget(self.id)
            for task in self._host_tasks:
                task.cancel()


class _Caller(Protocol):
    connection: Connection
    plan: CallPlan
    hello: Hello
    id: int


def answer_host_call(
    caller: _Caller, frame: HostCall, host: HostCallback | None, tasks: set[asyncio.Task[None]]
) -> None:
    """Answer in a task of its own, kept in `tasks` until it is done."""

    async def answer() -> None:
        code, message, value = "", "", None
        if host is None:
            code, message = "permission_denied", "this call offers nothing of the studio"
        else:
            try:
                value = await host(caller.plan.host_request(caller.hello, frame.operation, frame.payload))
            except Exception as error:  # noqa: BLE001 - the plugin gets to know what its request led to; the studio goes on
                code, message = told(error)
        caller.connection.send(HostResult(caller.id, frame.request, value, code, message))

    task = asyncio.get_running_loop().create_task(answer())
    tasks.add(task)
    task.add_done_callback(tasks.discard)


class AsyncClient:
    """Calls plugins from one event loop."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._connections: dict[str, Connection] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def close(self) -> None:
        """Close every connection; calls under way fail."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    async def call(
        self,
        plugin_id: str,
        method: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        user: dict[str, Any] | None = None,
        chain: Sequence[str] = (),
        on_progress: ProgressCallback | None = None,
        host: HostCallback | None = None,
    ) -> CallResult:
        """Call a method and wait for its result; `timeout` in seconds, by default the plugin's own limit.

        Raises:
            CallError: with the code of what went wrong.
        """
        plan = CallPlan(plugin_id, method, args, kwargs or {}, timeout, user, chain)
        while True:
            connection = await self.connect(plan)
            pending = _Pending(connection, plan, on_progress, host)
            try:
                send_call(pending)
                return await pending.wait()
            except _Refused:
                continue

    def stream(
        self,
        plugin_id: str,
        method: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        user: dict[str, Any] | None = None,
        chain: Sequence[str] = (),
        host: HostCallback | None = None,
    ) -> Stream:
        """A stream of a method's items; see `Stream`."""
        return Stream(self, CallPlan(plugin_id, method, args, kwargs or {}, timeout, user, chain), host)

    async def connect(self, plan: CallPlan) -> Connection:
        """A usable connection, waiting a little for a process that is being replaced."""
        found = self._connections.get(plan.plugin_id)
        if found is not None and found.usable:
            return found
        async with self._locks.setdefault(plan.plugin_id, asyncio.Lock()):
            found = self._connections.get(plan.plugin_id)
            if found is None or not found.usable:
                found = self._connections[plan.plugin_id] = await self._open(plan)
            return found

    async def _open(self, plan: CallPlan) -> Connection:
        link, pause = link_of(self._run_dir, plan.plugin_id), _FIRST_PAUSE
        while True:
            with contextlib.suppress(OSError):
                connection = await self._open_once(link, plan)
                if connection.usable:  # a goaway may have come with the hello
                    return connection
            if not link.is_symlink():
                raise plan.not_loaded()
            if time.monotonic() + pause > plan.connect_until():
                raise plan.restarting()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _open_once(self, link: Path, plan: CallPlan) -> Connection:
        with socket_address(link) as address:
            _, connection = await asyncio.get_running_loop().create_unix_connection(Connection, address)
        try:
            async with asyncio.timeout(max(0.05, plan.connect_until() - time.monotonic())):
                await asyncio.shield(connection.hello)
        except BaseException:  # a cancelled caller, too, leaves no connection
            connection.close()
            raise
        return connection


def send_call(pending: _Pending | Stream, *, stream: bool = False) -> None:
    """Send the call of a sink on its connection.

    Raises:
        _Refused: the connection takes no calls any more; nobody would ever tell the sink.
        CallError: the arguments cannot be sent, or the time is up.
    """
    connection = pending.connection
    if not connection.usable:
        raise _Refused
    frame = pending.plan.frame(pending.id, pending.hello, stream=stream, credit=WINDOW if stream else 0)
    connection.register(pending.id, pending)
    try:
        connection.send(frame)
    except FrameTooLargeError as error:
        connection.forget(pending.id)
        raise CallError("arguments_too_large", str(error)) from error
    except (TypeError, NotImplementedError, OverflowError) as error:
        connection.forget(pending.id)
        raise CallError("arguments_invalid", f"the arguments cannot be sent: {error}") from error


class Stream:
    """A plugin's items as they come: ``async with client.stream(...) as stream: async for item in stream``.

    Leaving the block before the end cancels the call in the plugin. A stream that has begun and breaks raises a
    CallError; it is never repeated silently. `generation` is known from the first item on.
    """

    connection: Connection
    hello: Hello
    id: int

    def __init__(self, client: AsyncClient, plan: CallPlan, host: HostCallback | None) -> None:
        self._client, self.plan, self._host = client, plan, host
        self.generation: int | None = None
        self._items: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._end: Exception | None = None
        self._complete = False
        self._taken = 0
        self._open = False
        self._host_tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._complete and self._end is None:
            self.connection.send(Cancel(self.id))
        self._leave()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while not self._items:
            if self._complete:
                raise StopAsyncIteration
            if isinstance(self._end, _Refused):
                await self._begin()
            elif self._end is not None:
                raise self._end
            await self._wait()
        self.generation = self.hello.generation
        self._grant()
        return self._items.popleft()

    async def _begin(self) -> None:
        self._end = None
        while not self._open:
            self.connection = await self._client.connect(self.plan)
            self.hello = self.connection.hello.result()
            self.id = self.connection.next_id()
            with contextlib.suppress(_Refused):
                send_call(self, stream=True)
                self._open = True

    async def _wait(self) -> None:
        self._arrived.clear()
        if self._items or self._complete or self._end is not None:
            return
        remaining = self.plan.deadline(self.hello) + DEADLINE_GRACE - time.monotonic()
        try:
            async with asyncio.timeout(remaining):
                await self._arrived.wait()
        except TimeoutError:
            self.connection.send(Cancel(self.id))
            self._end = self.plan.deadline_exceeded(self.hello)

    def _grant(self) -> None:
        self._taken += 1
        if self._taken >= WINDOW // 2 and not self._complete:
            self.connection.send(Credit(self.id, self._taken))
            self._taken = 0

    def received(self, frame: Frame) -> None:
        if isinstance(frame, Items):
            self._items.extend(frame.values)
        elif isinstance(frame, End):
            self._complete = True
        elif isinstance(frame, Result):  # the method was no generator: its value is the only item
            self._items.append(frame.value)
            self._complete = True
        elif isinstance(frame, Error):
            self._end = self.plan.error(frame)
        elif isinstance(frame, Refused):
            self._end = _Refused()
        elif isinstance(frame, HostCall):
            answer_host_call(self, frame, self._host, self._host_tasks)
        if self._complete or self._end is not None:
            self._leave()
        self._arrived.set()

    def lost(self) -> None:
        if not self._complete and self._end is None:
            begun = self.generation is not None or bool(self._items)
            text = f"the process of {self.plan.plugin_id} died in the middle of the stream"
            broken = CallError("plugin_crashed", text) if begun else self.plan.lost(self.hello)
            self._end = broken or _Refused()
        self._arrived.set()

    def _leave(self) -> None:
        if self._open:
            self._open = False
            self.connection.forget(self.id)
            for task in self._host_tasks:
                task.cancel()
