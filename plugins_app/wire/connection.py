"""The asyncio side of a connection: bytes to frames, and frames to as few writes as possible."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, cast

import msgspec

from .codec import FrameDecoder, FrameTooLargeError, encode, encode_value
from .frames import Frame, Items

__all__ = ["FrameProtocol"]

#: So many bytes of items make a frame, even within one turn of the loop.
_BATCH = 256 * 1024


class FrameProtocol(asyncio.Protocol):
    """Base of both ends. Frames sent within one turn of the loop leave in one write, items of a stream in one frame."""

    transport: asyncio.Transport | None = None

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._decoder = FrameDecoder()
        self._outgoing: list[bytes] = []
        self._batches: dict[int, list[Any]] = {}
        self._batched = 0
        self._writable = asyncio.Event()
        self._writable.set()

    def frame_received(self, frame: Frame) -> None:
        """Handle one frame. Overridden by each end."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._outgoing.clear()
        self._batches.clear()
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in list(self._decoder.feed(data)):
                self.frame_received(frame)
        except (FrameTooLargeError, msgspec.DecodeError):
            if self.transport is not None:  # the peer speaks something else: nothing it says can be trusted any more
                self.transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def congested(self) -> bool:
        """Whether the peer has not yet taken most of what was sent."""
        return not self._writable.is_set()

    async def writable(self) -> None:
        """Wait until the peer has taken most of what was sent, or is gone."""
        await self._writable.wait()

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self.transport is None or self.transport.is_closing()

    def send(self, frame: Frame) -> None:
        """Queue one frame; silently dropped when the connection is gone, since nobody would read it.

        Raises whatever `encode` raises; nothing is sent then.
        """
        data = encode(frame)
        if self.closed:
            return
        self._schedule()
        if self._batches:
            self._close_batches()  # what was yielded before this frame comes before it
        self._outgoing.append(data)

    def send_item(self, call_id: int, item: Any) -> None:
        """Queue one item of a stream. It leaves with the others of this turn, in one `Items` frame for each stream.

        It is encoded here: what becomes of the object afterwards is not sent. Raises whatever `encode` raises.
        """
        value = encode_value(item)
        if self.closed:
            return
        self._schedule()
        size = len(memoryview(value))
        if self._batched + size > _BATCH:
            self._close_batches()
        self._batched += size
        self._batches.setdefault(call_id, []).append(value)

    def _schedule(self) -> None:
        if not self._outgoing and not self._batches:
            self.loop.call_soon(self.flush)

    def _close_batches(self) -> None:
        self._outgoing += [encode(Items(call_id, values)) for call_id, values in self._batches.items()]
        self._batches.clear()
        self._batched = 0

    def flush(self) -> None:
        """Write what is queued now."""
        if self._batches:
            self._close_batches()
        if self._outgoing and self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def shutdown_reading(self) -> None:
        """Let the peer's next write fail. What it has sent before is still read."""
        if self.transport is None:
            return
        raw: Any = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError), socket.socket(fileno=socket.dup(raw.fileno())) as twin:
            twin.shutdown(socket.SHUT_RD)
