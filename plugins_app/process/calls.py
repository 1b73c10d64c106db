"""The calls of one plugin process: which method, within what time, and what becomes of its outcome."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from plugins_app.sdk.base import file_of
from plugins_app.sdk.errors import PluginError
from plugins_app.sdk.metadata import PluginType
from plugins_app.wire import Call, Credit, End, Error, FrameTooLargeError, HostResult, Progress, Result
from plugins_app.wire.frames import Frame

from .targets import Target

__all__ = ["Peer", "RunningCall", "current_call", "error_frame"]

_LONGEST_DETAIL, _LONGEST_TRACEBACK = 4_000, 40_000
#: What is certainly no generator: nearly every result.
_PLAIN = frozenset({dict, list, str, bytes, int, float, bool, type(None)})

current_call: contextvars.ContextVar[RunningCall | None] = contextvars.ContextVar("current_call", default=None)


class Peer(Protocol):
    """The connection that a call came over."""

    def send(self, frame: Frame) -> None: ...

    def send_item(self, call_id: int, item: Any) -> None: ...

    def flush(self) -> None: ...

    @property
    def congested(self) -> bool: ...

    async def writable(self) -> None: ...


def error_frame(call_id: int, error: BaseException) -> Error:
    """An exception of the plugin as a frame. Its text may be of any length, and making it may fail."""
    text = _sendable("".join(traceback.format_exception(error)), _LONGEST_TRACEBACK)
    name = type(error).__name__
    try:
        words = _sendable(str(error), _LONGEST_DETAIL)
    except Exception as unreadable:  # noqa: BLE001 - a plugin's own __str__: it may not keep its caller waiting
        words = f"its text cannot be read: {type(unreadable).__name__}"
    if isinstance(error, PluginError):
        return Error(call_id, error.code, words, name, text, error.retryable, error.details)
    return Error(call_id, "plugin_raised", words, name, text)


def _sendable(text: str, longest: int) -> str:
    """The text as UTF-8 can carry it; of one that is too long the beginning and the end, where the reasons are."""
    if len(text) > longest:
        text = f"{text[: longest // 2]} [... {len(text) - longest} characters ...] {text[-(longest // 2) :]}"
    return text.encode(errors="backslashreplace").decode()


@dataclass(eq=False, slots=True)
class RunningCall:
    """One call under way."""

    call: Call
    peer: Peer
    plugin_type: PluginType
    timeout: float
    executor: Executor
    on_answer: Callable[[RunningCall], None]
    on_end: Callable[[RunningCall], None]
    started: float = field(default_factory=time.monotonic)
    task: asyncio.Task[None] | None = None
    threads: list[Future[Any]] = field(default_factory=list)
    answered: bool = False
    failed: bool = False
    cancelled: bool = False
    _credit: int = 0
    _credit_came: asyncio.Event | None = None
    _requests: dict[int, asyncio.Future[Any]] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether the plugin's code is still running for this call."""
        return (self.task is not None and not self.task.done()) or any(not each.done() for each in self.threads)

    @property
    def overdue(self) -> bool:
        """Whether its time is up."""
        return time.monotonic() >= self.started + self.timeout

    @property
    def elapsed_ms(self) -> float:
        return (time.monotonic() - self.started) * 1000

    def answer(self, frame: Result | Error | End) -> None:
        """Send the one frame that ends this call; later ones are dropped."""
        if self.answered:
            return
        self.answered, self.failed = True, isinstance(frame, Error)
        try:
            self.peer.send(frame)
        except (TypeError, ValueError, NotImplementedError, OverflowError, RecursionError) as error:
            self.failed = True
            self.peer.send(self._unsendable(error))
        self.on_answer(self)

    def launch(self, target: Target) -> None:
        """Run as a task of its own."""
        self.task = asyncio.get_running_loop().create_task(self._run(target))
        self.task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        # The task's context holds this object: kept, the two would wait with the call's arguments for the collector.
        self.task = None
        self.on_end(self)

    def _unsendable(self, error: Exception) -> Error:
        text = f"{self.call.method} returned what cannot be sent: {error}"
        return Error(self.call.id, "result_not_serializable", text, type(error).__name__)

    async def _run(self, target: Target) -> None:
        """Call the plugin and answer."""
        current_call.set(self)
        try:
            outcome = await self._invoke(target)
            if type(outcome) in _PLAIN:
                self.answer(Result(self.call.id, outcome, self.elapsed_ms))
                return
            if isinstance(outcome, Iterator) and inspect.isgenerator(outcome):
                outcome = self._from_thread(outcome)
            if inspect.isasyncgen(outcome) or isinstance(outcome, AsyncIterator):
                await self._consume(outcome)
            else:
                self.answer(Result(self.call.id, outcome, self.elapsed_ms))
        except asyncio.CancelledError:
            self.answer(Error(self.call.id, "cancelled", "the call was cancelled", "Cancelled"))
        except BaseException as error:  # noqa: BLE001 - whatever the plugin raises ends this call and nothing else
            self.answer(error_frame(self.call.id, error))

    async def _invoke(self, target: Target) -> Any:
        function, arguments, keywords = target.function, self.call.args, self.call.kwargs
        if target.kind == "coroutine":
            return await function(*arguments, **keywords)
        if target.kind == "generator":
            return function(*arguments, **keywords)
        outcome = await self._in_thread(lambda: function(*arguments, **keywords))
        return await outcome if inspect.isawaitable(outcome) else outcome

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        # Not run_in_executor: it hides the thread's own future, which tells whether the thread still runs.
        future: Future[Any] = self.executor.submit(contextvars.copy_context().run, function)
        self.threads.append(future)
        return await asyncio.wrap_future(future)

    async def _from_thread(self, generator: Iterator[Any]) -> AsyncIterator[Any]:
        end = object()
        while (item := await self._in_thread(lambda: next(generator, end))) is not end:
            yield item

    async def _consume(self, items: AsyncIterator[Any]) -> None:
        if self.call.stream:
            await self._stream(items)
        elif self.plugin_type is PluginType.TOOL:
            await self._progress_then_result(items)
        else:
            found = [item async for item in items]
            whole = file_of(found) if self.plugin_type is PluginType.EXPORT else found
            self.answer(Result(self.call.id, whole, self.elapsed_ms))

    async def _progress_then_result(self, items: AsyncIterator[Any]) -> None:
        last, seen = None, False
        async for item in items:
            if seen:
                self._send_item_as_progress(last)
            last, seen = item, True
        self.answer(Result(self.call.id, last, self.elapsed_ms))

    def _send_item_as_progress(self, item: Any) -> None:
        fields = item if isinstance(item, dict) else {}
        fraction, message = fields.get("fraction", fields.get("progress")), fields.get("message")
        number = float(fraction) if isinstance(fraction, (int, float)) else None
        text = message if isinstance(message, str) else item if isinstance(item, str) else ""
        self.peer.send(Progress(self.call.id, number, text, item))

    async def _stream(self, items: AsyncIterator[Any]) -> None:
        self._credit = self.call.credit
        try:
            async for item in items:
                while self._credit <= 0:
                    self._credit_came = asyncio.Event()
                    await self._credit_came.wait()
                self._credit -= 1
                self._send_item(item)
                if self.peer.congested:
                    await self.peer.writable()
        finally:
            if inspect.isasyncgen(items):
                await items.aclose()  # what it holds (a connection, a file) is given back now, not when it is collected
        self.answer(End(self.call.id, self.elapsed_ms))

    def _send_item(self, item: Any) -> None:
        try:
            self.peer.send_item(self.call.id, item)
        except (TypeError, NotImplementedError, OverflowError, FrameTooLargeError, UnicodeError) as error:
            raise PluginError(f"{self.call.method} yielded what cannot be sent: {error}") from error

    def credit_received(self, frame: Credit) -> None:
        """The reader has taken items."""
        self._credit += frame.amount
        if self._credit_came is not None:
            self._credit_came.set()

    def host_result_received(self, frame: HostResult) -> None:
        """The studio has answered a host call."""
        future = self._requests.pop(frame.request, None)
        if future is not None and not future.done():
            future.set_result(frame)

    def new_request(self) -> tuple[int, asyncio.Future[Any]]:
        """A number for a host call, and the future of its answer."""
        number = len(self._requests) + 1
        while number in self._requests:
            number += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._requests[number] = future
        return number, future
