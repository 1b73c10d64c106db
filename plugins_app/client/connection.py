"""One connection of the asyncio client, and who waits for what comes over it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from plugins_app.wire import Frame, FrameProtocol, Goaway, Hello

__all__ = ["Connection", "Sink"]


class Sink(Protocol):
    """Whoever waits for the frames of one call."""

    def received(self, frame: Frame) -> None: ...

    def lost(self) -> None: ...


class Connection(FrameProtocol):
    """One connection to one plugin process."""

    def __init__(self) -> None:
        super().__init__()
        self.hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self.going_away = False
        self.holders = 0
        self._sinks: dict[int, Sink] = {}
        self._last_id = 0

    @property
    def usable(self) -> bool:
        """Whether a new call may be sent."""
        return not self.closed and not self.going_away

    @property
    def is_alone(self) -> bool:
        """Whether a single call is under way."""
        return len(self._sinks) == 1

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def register(self, call_id: int, sink: Sink) -> None:
        self._sinks[call_id] = sink

    def forget(self, call_id: int) -> None:
        """The call has ended, whoever ended it."""
        self._sinks.pop(call_id, None)
        self._close_when_done()

    def let_go(self) -> None:
        """One of the holders needs it no more."""
        self.holders -= 1
        self._close_when_done()

    def _close_when_done(self) -> None:
        if self.going_away and not self._sinks and not self.holders:
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
            self._close_when_done()
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
