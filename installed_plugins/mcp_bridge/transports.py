"""How a server is reached: a program's own standard streams, or HTTP; and when that has ended."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from .settings import ServerSettings

__all__ = ["OnEnd", "OnLine", "open_transport"]

OnLine = Callable[[str], None]
OnEnd = Callable[[], None]

_KEEPER = Path(__file__).with_name("keeper.py")
_PATH = "/usr/local/bin:/usr/bin:/bin"
_LONGEST_LINE = 1000
logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line for each request otherwise
#: An answer that is streamed may be quiet for as long as its call may take, which the session limits.
_QUIET_S = 600.0


@asynccontextmanager
async def open_transport(settings: ServerSettings, on_end: OnEnd, on_line: OnLine) -> AsyncIterator[Any]:
    """The streams to and from a server. `on_end` is called when nothing more can come, `on_line` with what it logs."""
    async with _transport(settings, on_line) as (read, write):
        yield _UntilEnd(read, on_end), write


def _transport(settings: ServerSettings, on_line: OnLine) -> AbstractAsyncContextManager[Any]:
    if settings.transport == "stdio":
        return _stdio(settings, on_line)
    if settings.transport == "sse":
        return sse_client(settings.url, headers=dict(settings.headers), sse_read_timeout=_QUIET_S)
    return _http(settings, on_line)


@asynccontextmanager
async def _http(settings: ServerSettings, on_line: OnLine) -> AsyncIterator[Any]:
    async def told(response: httpx2.Response) -> None:
        if response.is_error:  # the SDK's own words leave out which error it was
            on_line(f"HTTP {response.status_code} {response.reason_phrase}")

    timeout = httpx2.Timeout(30.0, read=_QUIET_S)
    made = httpx2.AsyncClient(
        headers=dict(settings.headers), timeout=timeout, trust_env=False, event_hooks={"response": [told]}
    )
    async with (
        made as client,
        streamable_http_client(settings.url, http_client=client) as streams,
    ):
        yield streams


@asynccontextmanager
async def _stdio(settings: ServerSettings, on_line: OnLine) -> AsyncIterator[Any]:
    """The program, under a keeper: it and all it starts are gone when this process is."""
    parameters = StdioServerParameters(
        command=os.path.realpath(sys.executable),
        args=["-I", "-S", str(_KEEPER), str(os.getpid()), settings.command, *settings.args],
        env={"PATH": _PATH} | dict(settings.env),
    )
    reader, writer = os.pipe()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: _Lines(on_line), os.fdopen(reader, "rb"))
    try:
        with os.fdopen(writer, "w") as errors:
            client = stdio_client(parameters, errlog=errors)
            streams = await client.__aenter__()
        try:
            yield streams
        except BaseException as error:  # what `async with` does, whose beginning has a time limit of its own
            if not await client.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            await client.__aexit__(None, None, None)
    finally:
        transport.close()


class _Lines(asyncio.Protocol):
    """What a program writes to its standard error, line by line."""

    def __init__(self, on_line: OnLine) -> None:
        self._on_line, self._begun = on_line, ""

    def data_received(self, data: bytes) -> None:
        *lines, self._begun = (self._begun + data.decode("utf-8", "replace")).split("\n")
        self._begun = self._begun[-_LONGEST_LINE:]
        for line in lines:
            if line.strip():
                self._on_line(line.strip()[:_LONGEST_LINE])


class _UntilEnd:
    """A stream that says when it has ended."""

    def __init__(self, stream: Any, on_end: OnEnd) -> None:
        self._stream, self._on_end = stream, on_end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aenter__(self) -> _UntilEnd:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        self._on_end()
        return await self._stream.__aexit__(*error)

    def __aiter__(self) -> _UntilEnd:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except BaseException:  # its end, a failure or a cancellation: nothing comes any more
            self._on_end()
            raise
