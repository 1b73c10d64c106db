"""The little ASGI that the chat routes need: bodies with a limit, JSON, problems, and streams while they are read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import aclosing
from typing import Any

import orjson

from aichat.chat.errors import ChatError
from plugins_app.services.errors import StudioError

__all__ = [
    "Headers",
    "Receive",
    "Scope",
    "Send",
    "header",
    "read_body",
    "send_file",
    "send_json",
    "send_problem",
    "send_stream",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

BODY_LIMIT = 1 << 20
_COMMON: tuple[tuple[bytes, bytes], ...] = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_SSE = (*_COMMON, (b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no"))


def header(scope: Scope, name: bytes) -> str:
    """One request header (`name` in lower case), or an empty string."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def read_body(scope: Scope, receive: Receive, limit: int = BODY_LIMIT) -> bytes:
    """The whole body.

    Raises:
        ChatError: it is too large, or the client went away.
    """
    declared = header(scope, b"content-length")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ChatError("cancelled", "The client went away.")
        body = body + message.get("body", b"") if body else message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return body


def _too_large(limit: int) -> ChatError:
    return ChatError("body_too_large", f"A chat request may have {limit} bytes.")


async def send_json(send: Send, status: int, data: Any, headers: Headers = ()) -> None:
    """Answer with JSON; with nothing when `data` is None."""
    body = b"" if data is None else orjson.dumps(data)
    kinds = () if data is None else ((b"content-type", b"application/json"),)
    await _send_whole(send, status, body, (*_COMMON, *kinds, *headers))


async def send_problem(send: Send, error: StudioError, headers: Headers = ()) -> None:
    """Answer with RFC 9457 problem+json."""
    explained = "refused" if getattr(error, "refusal", False) else error.code  # a plugin's own reason has no page here
    data = {
        "type": f"/docs/errors#{explained}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    data |= {"errors": error.errors} if error.errors else {}
    extra = [(b"content-type", b"application/problem+json"), *headers]
    if error.retry_after is not None:
        extra.append((b"retry-after", str(max(1, round(error.retry_after))).encode()))
    if error.status == 401:
        extra.append((b"www-authenticate", b"Bearer"))
    await _send_whole(send, error.status, orjson.dumps(data), (*_COMMON, *extra))


async def _send_whole(send: Send, status: int, body: bytes, headers: Headers) -> None:
    # A 204 has no body and says nothing about its length.
    length = () if status == 204 else ((b"content-length", str(len(body)).encode()),)
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body})


async def send_stream(receive: Receive, send: Send, chunks: AsyncGenerator[bytes, None], headers: Headers = ()) -> None:
    """Answer with server-sent events until they end or the client goes away."""
    await _send_while_read(receive, send, chunks, (*_SSE, *headers))


async def send_file(receive: Receive, send: Send, pieces: AsyncGenerator[bytes, None], headers: Headers) -> None:
    """Answer with a file, piece by piece, until it ends or the client goes away."""
    await _send_while_read(receive, send, pieces, (*_COMMON, *headers))


async def _send_while_read(receive: Receive, send: Send, chunks: AsyncGenerator[bytes, None], headers: Headers) -> None:
    sender = asyncio.create_task(_send_all(send, chunks, headers))
    watcher = asyncio.create_task(_until_disconnect(receive))
    try:
        await asyncio.wait({sender, watcher}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sender, watcher):
            task.cancel()
        outcomes = await asyncio.gather(sender, watcher, return_exceptions=True)
    if isinstance(outcomes[0], Exception):
        raise outcomes[0]


async def _send_all(send: Send, chunks: AsyncGenerator[bytes, None], headers: Headers) -> None:
    with contextlib.suppress(ConnectionError):  # the reader went away: that is no failure
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        async with aclosing(chunks):
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
