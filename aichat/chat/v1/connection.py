"""What a /v1 answer is written to: headers once, then bytes, comments while nothing is said, until the client goes."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

import orjson

from aichat.chat.http import Headers, Receive, Send
from aichat.chat.v1.errors import error_body, error_event, error_headers, error_status
from plugins_app.services.errors import StudioError

__all__ = ["Client"]

PING = b": ping\n\n"
_PING_EVERY_S = 10.0
_SSE = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class Client:
    """The client of one request. As a context it cancels the block when the client goes away; nobody else notices."""

    def __init__(self, receive: Receive, send: Send, request_id: str) -> None:
        self._receive, self._send = receive, send
        self._request_id = (b"x-request-id", request_id.encode())
        self._begun = False
        self._is_streaming = False
        self._quiet = True
        self._gone = False
        self._task: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Client:
        self._task = asyncio.current_task()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        assert self._watcher is not None and self._task is not None
        task, self._task = self._task, None
        # Kept, the watcher would hold this object and be held by it: garbage of every request, for a collector that
        # stops the whole process to find it.
        watcher, self._watcher = self._watcher, None
        watcher.cancel()
        if self._gone and kind is asyncio.CancelledError:
            task.uncancel()
            return True
        return False

    async def _watch(self) -> None:
        """See the client go; say something now and then, so that nobody on the way takes the silence for the end."""
        with contextlib.suppress(ConnectionError):
            while True:
                self._quiet = True
                try:
                    async with asyncio.timeout(_PING_EVERY_S):
                        while (await self._receive())["type"] != "http.disconnect":
                            pass
                    break
                except TimeoutError:
                    if self._is_streaming and self._quiet:
                        await self.write(PING)
        self._gone = True
        assert self._task is not None
        self._task.cancel()

    def stream(self) -> None:
        """From now on this is a stream, which may have to be kept alive before the first chunk."""
        self._is_streaming = True

    async def write(self, data: bytes) -> None:
        """Send a piece of the stream, its headers before the first."""
        self._quiet = False
        if not self._begun:
            self._begun = True
            headers = [*_SSE, self._request_id]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes) -> None:
        """Send the last piece."""
        await self.write(b"")
        self._is_streaming = False
        await self._send({"type": "http.response.body", "body": data})

    async def answer(self, body: bytes) -> None:
        """Send a whole answer."""
        self._begun = True
        await self._whole(200, [(b"content-type", b"application/json")], body)

    async def fail(self, error: StudioError, headers: Headers = ()) -> None:
        """Send an error: with its status, or as an event when the answer has begun."""
        if self._begun:
            await self.end(error_event(error))
            return
        self._begun = True
        await self._whole(error_status(error), [*error_headers(error), *headers], orjson.dumps(error_body(error)))

    async def _whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        headers += [self._request_id, (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
