"""The blocking client, for Django views and Celery tasks: a pool of connections, one call at a time on each."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from plugins_app.wire import (
    Cancel,
    Error,
    Frame,
    FrameDecoder,
    FrameTooLargeError,
    Goaway,
    Hello,
    HostCall,
    HostResult,
    Progress,
    Refused,
    Result,
    encode,
    socket_address,
)

from .common import DEADLINE_GRACE, CallPlan, CallResult, HostRequest, ProgressCallback, link_of
from .errors import CallError, told

__all__ = ["BlockingClient", "BlockingHostCallback"]

BlockingHostCallback = Callable[[HostRequest], Any]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05
_CANCEL_POLL = 0.25
_IDLE_PER_PLUGIN = 32


class _Lost(Exception):
    """The connection broke while an answer was due."""


class _LostUnread(_Lost):
    """It broke before the process had read all that we sent.

    Linux reports ECONNRESET on a Unix socket exactly when the peer went away with unread data, see unix_release_sock().
    """


class _NeverStarted(Exception):
    """The call did not reach the plugin: it may be repeated."""


class _Connection:
    """One socket to one plugin process."""

    def __init__(self, link: Path, until: float) -> None:
        self._decoder = FrameDecoder()
        self._frames: deque[Frame] = deque()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(max(0.05, until - time.monotonic()))
            with socket_address(link) as address:
                self._socket.connect(address)
            first = self.receive(until)
        except BaseException:  # nobody else knows of this socket yet
            self._socket.close()
            raise
        if not isinstance(first, Hello):
            self._socket.close()
            raise ConnectionResetError("no hello")
        self.hello = first
        self.last_id = 0

    def close(self) -> None:
        self._socket.close()

    @property
    def idle_and_sound(self) -> bool:
        """Whether nothing came since the last answer: a goaway or the end of the stream would have."""
        if self._frames:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def send(self, frame: Frame) -> None:
        """Raises OSError when the process has stopped reading; FrameTooLargeError, TypeError, ... as `encode`."""
        data = encode(frame)
        self._socket.settimeout(10.0)
        self._socket.sendall(data)

    def receive(self, until: float) -> Frame:
        """The next frame. Raises TimeoutError at `until`, _Lost at the end of the stream."""
        while not self._frames:
            remaining = until - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            self._socket.settimeout(remaining)
            try:
                data = self._socket.recv(262_144)
            except TimeoutError:
                raise
            except ConnectionResetError as error:
                raise _LostUnread from error
            except OSError as error:
                raise _Lost from error
            if not data:
                raise _Lost
            try:
                self._frames.extend(self._decoder.feed(data))
            except (FrameTooLargeError, msgspec.DecodeError) as error:
                raise _Lost from error
        return self._frames.popleft()


class BlockingClient:
    """Calls plugins from threads. Safe to share between threads; after a fork it begins anew."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._idle: dict[str, deque[_Connection]] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            for pool in self._idle.values():
                for connection in pool:
                    connection.close()
            self._idle.clear()

    def call(
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
        host: BlockingHostCallback | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> CallResult:
        """Call a method and wait for its result; `timeout` in seconds, by default the plugin's own limit.

        `cancel` is asked about four times a second whether the answer is no longer wanted.

        Raises:
            CallError: with the code of what went wrong.
        """
        plan = CallPlan(plugin_id, method, args, kwargs or {}, timeout, user, chain)
        while True:
            connection = self._take(plan)
            sound = False
            try:
                outcome = _Exchange(connection, plan, on_progress, host, cancel).run()
                sound = True
                return outcome
            except _NeverStarted:
                continue
            except CallError as error:
                sound = error.code not in ("deadline_exceeded", "plugin_crashed", "cancelled")
                raise
            except _Lost:
                if (failure := plan.lost(connection.hello)) is not None:
                    raise failure from None
            finally:
                self._give_back(plugin_id, connection, sound)

    def _take(self, plan: CallPlan) -> _Connection:
        if os.getpid() != self._pid:  # forked: the parent's sockets are not ours to speak on
            self._idle, self._lock, self._pid = {}, threading.Lock(), os.getpid()
        while True:
            with self._lock:
                pool = self._idle.get(plan.plugin_id)
                connection = pool.pop() if pool else None
            if connection is None:
                return self._open(plan)
            if connection.idle_and_sound:
                return connection
            connection.close()

    def _give_back(self, plugin_id: str, connection: _Connection, sound: bool) -> None:
        if sound:
            with self._lock:
                pool = self._idle.setdefault(plugin_id, deque())
                if len(pool) < _IDLE_PER_PLUGIN:
                    pool.append(connection)
                    return
        connection.close()

    def _open(self, plan: CallPlan) -> _Connection:
        link, until = link_of(self._run_dir, plan.plugin_id), plan.connect_until()
        for pause in _pauses():
            with contextlib.suppress(OSError, _Lost):  # refused, or closed before its hello: it is being replaced
                return _Connection(link, until)
            if not link.is_symlink():
                raise plan.not_loaded()
            if time.monotonic() + pause > until:
                break
            time.sleep(pause)
        raise plan.restarting()


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE)


class _Exchange:
    """One call on one connection."""

    def __init__(
        self,
        connection: _Connection,
        plan: CallPlan,
        on_progress: ProgressCallback | None,
        host: BlockingHostCallback | None,
        cancel: Callable[[], bool] | None,
    ) -> None:
        self._connection, self._plan = connection, plan
        self._on_progress, self._host, self._cancel = on_progress, host, cancel
        self._hello = connection.hello
        connection.last_id += 1
        self._id = connection.last_id
        self._sent_more = False
        self._asks_at = time.monotonic() + _CANCEL_POLL

    def run(self) -> CallResult:
        """The result. Raises CallError, _Lost, or _NeverStarted when it is safe to repeat."""
        frame = self._plan.frame(self._id, self._hello, exclusive=True)
        try:
            self._connection.send(frame)
        except FrameTooLargeError as error:
            raise CallError("arguments_too_large", str(error)) from error
        except (TypeError, NotImplementedError, OverflowError) as error:
            raise CallError("arguments_invalid", f"the arguments cannot be sent: {error}") from error
        except OSError as error:  # not wholly written: the process never had the call
            raise _NeverStarted from error
        while True:
            try:
                answer = self._handle(self._next())
            except _LostUnread as error:
                if self._sent_more:  # then what was not read may be later than the call
                    raise
                raise _NeverStarted from error
            if answer is not None:
                return answer

    def _next(self) -> Frame:
        until = self._plan.deadline(self._hello) + DEADLINE_GRACE
        while True:
            self._stop_if_unwanted()
            step = until if self._cancel is None else min(until, self._asks_at)
            try:
                return self._connection.receive(step)
            except TimeoutError:
                if time.monotonic() >= until:
                    self._give_up()
                    raise self._plan.deadline_exceeded(self._hello) from None

    def _stop_if_unwanted(self) -> None:
        """Ask now and then, also while the plugin says something all the time."""
        if self._cancel is None or time.monotonic() < self._asks_at:
            return
        self._asks_at = time.monotonic() + _CANCEL_POLL
        if self._cancel():
            self._give_up()
            raise CallError("cancelled", f"{self._plan.method} was cancelled")

    def _handle(self, frame: Frame) -> CallResult | None:
        if isinstance(frame, Goaway) or getattr(frame, "id", self._id) != self._id:
            return None
        if isinstance(frame, Result):
            return self._plan.result(frame, self._hello)
        if isinstance(frame, Error):
            raise self._plan.error(frame)
        if isinstance(frame, Refused):
            raise _NeverStarted
        if isinstance(frame, Progress):
            if self._on_progress is not None:
                self._on_progress(frame.fraction, frame.message, frame.data)
        elif isinstance(frame, HostCall):
            self._answer(frame)
        return None

    def _answer(self, frame: HostCall) -> None:
        value, code, message = None, "", ""
        if self._host is None:
            code, message = "permission_denied", "this call offers nothing of the studio"
        else:
            try:
                value = self._host(self._plan.host_request(self._hello, frame.operation, frame.payload))
            except Exception as error:  # noqa: BLE001 - the plugin gets to know what its request led to; the studio goes on
                code, message = told(error)
        self._sent_more = True
        with contextlib.suppress(OSError):
            self._connection.send(HostResult(self._id, frame.request, value, code, message))

    def _give_up(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.send(Cancel(self._id))
