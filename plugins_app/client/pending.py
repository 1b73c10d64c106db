"""One call of the asyncio client: sent, answered on the way, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from plugins_app.wire import (
    Cancel,
    Error,
    Frame,
    FrameTooLargeError,
    Hello,
    HostCall,
    HostResult,
    Progress,
    Refused,
    Result,
)

from .common import DEADLINE_GRACE, CallPlan, CallResult, HostRequest, ProgressCallback
from .connection import Connection
from .errors import CallError, told

__all__ = ["WINDOW", "HostCallback", "NeverStarted", "Pending", "answer_host_call", "send_call"]

HostCallback = Callable[[HostRequest], Awaitable[Any]]

#: How many stream items may be under way.
WINDOW = 256


class NeverStarted(Exception):
    """The process took no new calls; the call was never started."""


class Pending:
    """One call's answer, awaited."""

    def __init__(
        self, connection: Connection, plan: CallPlan, progress: ProgressCallback | None, host: HostCallback | None
    ) -> None:
        self.connection, self.plan = connection, plan
        self.hello = connection.hello.result()
        self.id = connection.next_id()
        self._progress, self._host = progress, host
        self._host_tasks: set[asyncio.Task[None]] = set()
        self.outcome: asyncio.Future[CallResult] = connection.loop.create_future()

    def received(self, frame: Frame) -> None:
        if isinstance(frame, Result):
            self._settle(self.plan.result(frame, self.hello))
        elif isinstance(frame, Error):
            self._fail(self.plan.error(frame))
        elif isinstance(frame, Refused):
            self._fail(NeverStarted())
        elif isinstance(frame, Progress):
            if self._progress is not None:
                self._progress(frame.fraction, frame.message, frame.data)
        elif isinstance(frame, HostCall):
            answer_host_call(self, frame, self._host, self._host_tasks)

    def lost(self) -> None:
        self._fail(self.plan.lost(self.hello) or NeverStarted())

    def _settle(self, result: CallResult) -> None:
        if not self.outcome.done():
            self.outcome.set_result(result)

    def _fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)

    async def wait(self) -> CallResult:
        """The result. Raises CallError or NeverStarted; cancels the call in the plugin when this task is cancelled."""
        remaining = self.plan.deadline(self.hello) + DEADLINE_GRACE - time.monotonic()
        timer = self.outcome.get_loop().call_later(max(0.0, remaining), self._overdue)
        try:
            return await self.outcome
        except asyncio.CancelledError:
            self.connection.send(Cancel(self.id))
            raise
        finally:
            timer.cancel()
            self.connection.forget(self.id)
            for task in self._host_tasks:
                task.cancel()

    def _overdue(self) -> None:
        if not self.outcome.done():
            self.connection.send(Cancel(self.id))
            self._fail(self.plan.deadline_exceeded(self.hello))


class Caller(Protocol):
    """A call under way, or a stream."""

    connection: Connection
    plan: CallPlan
    hello: Hello
    id: int

    def received(self, frame: Frame) -> None: ...

    def lost(self) -> None: ...


def answer_host_call(
    caller: Caller, frame: HostCall, host: HostCallback | None, tasks: set[asyncio.Task[None]]
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


def send_call(pending: Caller, *, stream: bool = False, held: bool = False) -> None:
    """Send the call of a sink on its connection; `held` ones are taken by a draining process, too.

    Raises:
        NeverStarted: the connection takes no calls any more; nobody would ever tell the sink.
        CallError: the arguments cannot be sent, or the time is up.
    """
    connection = pending.connection
    if connection.closed or (connection.going_away and not held):
        raise NeverStarted
    frame = pending.plan.frame(pending.id, pending.hello, stream=stream, credit=WINDOW if stream else 0, held=held)
    connection.register(pending.id, pending)
    try:
        connection.send(frame)
        if connection.is_alone:  # with nobody to share a write with, a turn of the loop would only be waited for
            connection.flush()
    except FrameTooLargeError as error:
        connection.forget(pending.id)
        raise CallError("arguments_too_large", str(error)) from error
    except (TypeError, NotImplementedError, OverflowError) as error:
        connection.forget(pending.id)
        raise CallError("arguments_invalid", f"the arguments cannot be sent: {error}") from error
