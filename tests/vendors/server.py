"""What the vendors' servers here share: what they were asked, which faults come next, when a client hangs up."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

__all__ = ["KEY", "Cut", "Fault", "Garbage", "Seen", "Stall", "Status", "VendorServer"]

#: The only key that these servers accept.
KEY = "vendor-key-0123456789abcdef"

Event = tuple[str | None, Any]


@dataclass(frozen=True)
class Status:
    """An error instead of an answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """The connection is gone after so many events."""

    after: int = 2


@dataclass(frozen=True)
class Stall:
    """Nothing more comes after so many events; None: not even the answer's head."""

    after: int | None = 2


@dataclass(frozen=True)
class Garbage:
    """A good status, and then this."""

    body: str = "event: message_start\ndata: {not json\n\n"
    media_type: str = "text/event-stream"


Fault = Status | Cut | Stall | Garbage


@dataclass(frozen=True)
class Seen:
    """One request that came."""

    path: str
    headers: Mapping[str, str]
    body: Any
    at: float
    query: Mapping[str, str]


class VendorServer:
    """One vendor's API; subclasses know its paths and its format."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.faults: deque[Fault] = deque()
        self.left = threading.Event()
        self.url = ""

    @property
    def last(self) -> Any:
        """The body of the last request."""
        return self.seen[-1].body

    # --- for subclasses ---

    def routes(self) -> list[web.RouteDef]:
        """What this vendor answers."""
        raise NotImplementedError

    def key_of(self, request: web.Request) -> str:
        """The key that a request brings."""
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    def error(self, status: int, message: str) -> Any:
        """The body of an error."""
        raise NotImplementedError

    def encoded(self, event: Event) -> bytes:
        """One server-sent event."""
        name, data = event
        head = f"event: {name}\n" if name else ""
        return f"{head}data: {json.dumps(data)}\n\n".encode()

    async def stream(self, request: web.Request, events: list[Event]) -> web.StreamResponse:
        """Send the events, with the fault that is next."""
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, Status):
            return self._refused(fault.status, "as asked by the test", fault.headers)
        if isinstance(fault, Garbage):
            return web.Response(text=fault.body, content_type=fault.media_type)
        if fault == Stall(None):
            await self._until_left(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, event in enumerate(events):
            if isinstance(fault, Stall) and number == fault.after:
                await self._until_left(request)
            if isinstance(fault, Cut) and number == fault.after:
                self._cut(request)
                return response
            await response.write(self.encoded(event))
        await response.write_eof()
        return response

    async def plain(self, request: web.Request, body: Any) -> web.StreamResponse:
        """Answer at once, with the fault that is next."""
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, Status):
            return self._refused(fault.status, "as asked by the test", fault.headers)
        if isinstance(fault, Garbage):
            return web.Response(text=fault.body, content_type=fault.media_type)
        return web.json_response(body)

    # --- life ---

    @asynccontextmanager
    async def running(self) -> AsyncIterator[VendorServer]:
        """Serve on a free port of this machine, in this event loop."""
        app = web.Application(middlewares=[self._noted], client_max_size=64 * 2**20)
        app.add_routes(self.routes())
        # A handler ends when its client hangs up: that is what tests of cancelling look for.
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    @contextmanager
    def in_thread(self) -> Iterator[VendorServer]:
        """Serve from a thread of its own, for tests that are not asynchronous."""
        ready, loop = threading.Event(), asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            async with self.running():
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()

    async def _noted_body(self, request: web.Request) -> Any:
        raw = await request.read()
        return json.loads(raw) if raw else None

    @property
    def _noted(self) -> Any:
        @web.middleware
        async def noted(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            body = await self._noted_body(request)
            self.seen.append(Seen(request.path, request.headers.copy(), body, time.monotonic(), dict(request.query)))
            if self.key_of(request) != KEY:
                return self._refused(401, f"invalid key {self.key_of(request)}")  # some vendors do repeat it
            return await handler(request)

        return noted

    def _refused(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
        return web.json_response(self.error(status, message), status=status, headers=headers)

    async def _until_left(self, request: web.Request) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.left.set()

    def _cut(self, request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()
