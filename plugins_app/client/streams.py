"""A plugin's answer in items, one at a time or in batches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Protocol, Self

from plugins_app.wire import Cancel, Credit, End, Error, Frame, Hello, HostCall, Items, Refused, Result

from .common import DEADLINE_GRACE, CallPlan
from .connection import Connection
from .errors import CallError
from .pending import WINDOW, HostCallback, NeverStarted, answer_host_call, send_call

__all__ = ["Batches", "Stream"]


class _Connecting(Protocol):
    async def connect(self, plan: CallPlan) -> Connection: ...


class Batches:
    """A stream's items in lists. No generator: nothing is left to close when a reader stops early."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Any]:
        if batch := await self._stream.next_batch():
            return batch
        raise StopAsyncIteration


class Stream:
    """A plugin's items as they come: ``async with client.stream(...) as stream: async for item in stream``.

    ``async for batch in stream.batches()`` gives lists instead: all items that have arrived since the last one, so a
    reader that is slower than the plugin gets fewer and larger batches. Both may be mixed; each item comes once.

    Leaving the block before the end cancels the call in the plugin. A stream that has begun and breaks raises a
    CallError; it is never repeated silently. `generation` is known from the first item on.
    """

    connection: Connection
    hello: Hello
    id: int

    def __init__(self, client: _Connecting, plan: CallPlan, host: HostCallback | None) -> None:
        self._client, self.plan, self._host = client, plan, host
        self._loop = asyncio.get_running_loop()
        self.generation: int | None = None
        self._items: list[Any] = []
        self._arrived: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
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

    def batches(self) -> Batches:
        """The items in lists, never an empty one."""
        return Batches(self)

    async def next_batch(self) -> list[Any]:
        """All items that are there, waiting for one if need be; none at the end."""
        if not self._items and not await self._more():
            return []
        batch, self._items = self._items, []
        self._grant(len(batch))
        return batch

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if not self._items and not await self._more():
            raise StopAsyncIteration
        self._grant(1)
        return self._items.pop(0)

    async def _more(self) -> bool:
        """Wait for items; False at the end."""
        while not self._items:
            if self._complete:
                return False
            if isinstance(self._end, NeverStarted):
                await self._begin()
            elif self._end is not None:
                raise self._end
            else:
                await self._wait()
        self.generation = self.hello.generation
        return True

    async def _begin(self) -> None:
        self._end = None
        while not self._open:
            self.connection = await self._client.connect(self.plan)
            self.hello = self.connection.hello.result()
            self.id = self.connection.next_id()
            with contextlib.suppress(NeverStarted):
                send_call(self, stream=True)
                self._open = True
        remaining = self.plan.deadline(self.hello) + DEADLINE_GRACE - time.monotonic()
        self._timer = self._loop.call_later(max(0.0, remaining), self._overdue)

    async def _wait(self) -> None:
        self._arrived = self._loop.create_future()
        try:
            await self._arrived
        finally:
            self._arrived = None

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _overdue(self) -> None:
        if not self._complete and self._end is None:
            self.connection.send(Cancel(self.id))
            self._end = self.plan.deadline_exceeded(self.hello)
            self._leave()
            self._wake()

    def _grant(self, amount: int) -> None:
        self._taken += amount
        if self._taken >= WINDOW // 2 and self._open:
            self.connection.send(Credit(self.id, self._taken))
            self._taken = 0

    def received(self, frame: Frame) -> None:
        if isinstance(frame, Items):
            self._items += frame.values
        elif isinstance(frame, End):
            self._complete = True
        elif isinstance(frame, Result):  # the method was no generator: its value is the only item
            self._items.append(frame.value)
            self._complete = True
        elif isinstance(frame, Error):
            self._end = self.plan.error(frame)
        elif isinstance(frame, Refused):
            self._end = NeverStarted()
        elif isinstance(frame, HostCall):
            answer_host_call(self, frame, self._host, self._host_tasks)
            return
        if self._complete or self._end is not None:
            self._leave()
        self._wake()

    def lost(self) -> None:
        if not self._complete and self._end is None:
            begun = self.generation is not None or bool(self._items)
            text = f"the process of {self.plan.plugin_id} died in the middle of the stream"
            broken = CallError("plugin_crashed", text) if begun else self.plan.lost(self.hello)
            self._end = broken or NeverStarted()
            self._leave()
        self._wake()

    def _leave(self) -> None:
        if self._open:
            self._open = False
            if self._timer is not None:
                self._timer.cancel()
            self.connection.forget(self.id)
            for task in self._host_tasks:
                task.cancel()
