"""Wait until the studio's servers answer."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from aichat.environment import Environment

__all__ = ["redis_answers", "web_answers"]

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_POLL_SECONDS = 0.05
_HEALTHY_SECONDS = 60.0
_HEALTH = "/api/plugins/health"


async def redis_answers(socket: Path) -> None:
    """Return once the server behind `socket` answers a PING; while it loads its data it does not yet."""
    while not (await _exchange(asyncio.open_unix_connection(str(socket)), b"PING\r\n")).startswith(b"+PONG"):
        await asyncio.sleep(_POLL_SECONDS)


async def web_answers(environment: Environment, limit: float = _HEALTHY_SECONDS) -> bool:
    """Return True once the studio says that it is healthy; False when it answers but has not said so within `limit`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    while True:
        status = await _http_status(environment)
        if status == 200:
            return True
        if status and loop.time() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS * 4)


async def _http_status(environment: Environment) -> int:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(environment.host, environment.host)
    name = environment.allowed_hosts[0].lstrip(".").replace("*", "localhost")
    request = f"GET {_HEALTH} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
    answer = await _exchange(asyncio.open_connection(host, environment.port), request.encode())
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


async def _exchange(connecting: Coroutine[Any, Any, _Streams], request: bytes, seconds: float = 5.0) -> bytes:
    """Send `request` and return the first line of the answer; nothing when nobody is there."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            reader, writer = await connecting
            try:
                writer.write(request)
                return await reader.readline()
            finally:
                writer.close()
    return b""
