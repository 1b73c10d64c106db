"""Django behind ASGI: what is sent piece by piece."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import django.contrib.admin

from aichat.handler import PooledDjango

STYLE = Path(django.contrib.admin.__file__).parent / "static/admin/css/base.css"


async def get(handler: PooledDjango, path: str, **headers: str) -> list[dict[str, Any]]:
    """Everything that is sent."""
    sent: list[dict[str, Any]] = []
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *((name.encode(), value.encode()) for name, value in headers.items())],
    }
    await handler(scope, receive, send)
    return sent


async def test_a_file_is_sent_as_it_is_read_and_django_warns_of_nothing() -> None:
    handler = PooledDjango()
    handler.load_middleware()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="StreamingHttpResponse")
        start, *pieces = await get(handler, "/static/admin/css/base.css")
        part_start, *part = await get(handler, "/static/admin/css/base.css", range="bytes=0-3")
    handler.close()
    length = dict(start["headers"])[b"Content-Length"]
    assert (start["status"], int(length)) == (200, STYLE.stat().st_size)
    assert b"".join(piece.get("body", b"") for piece in pieces) == STYLE.read_bytes()
    assert (part_start["status"], b"".join(piece.get("body", b"") for piece in part)) == (206, STYLE.read_bytes()[:4])
