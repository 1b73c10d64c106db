"""Server-sent events, read from the database: whoever comes back with `Last-Event-ID` misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import StreamingHttpResponse
from redis.exceptions import RedisError
from rest_framework.request import Request

from plugins_app.models import Execution, LifecycleEvent
from plugins_app.services.connections import releasing_connection
from plugins_app.services.hints import EVENTS_CHANNEL

from .rendering import dumps
from .serializers import ExecutionSerializer

__all__ = ["execution_stream", "lifecycle_stream"]

_PING_EVERY = 15.0
_POLL = 1.0
_BATCH = 200
Wait = Callable[[], Any]


def lifecycle_stream(request: Request) -> StreamingHttpResponse:
    """Every plugin's events, from the one after `Last-Event-ID` on, or from now on."""
    return _response(_lifecycle(_last_event_id(request)))


def execution_stream(request: Request, execution_id: UUID) -> StreamingHttpResponse:
    """One execution's progress and, last, its end."""
    operator = request.user.has_perm("plugins_app.operate")
    return _response(_execution(execution_id, operator))


def _last_event_id(request: Request) -> int | None:
    text = request.META.get("HTTP_LAST_EVENT_ID") or request.query_params.get("last_event_id", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _response(events: AsyncIterator[bytes]) -> StreamingHttpResponse:
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(events, content_type="text/event-stream", headers=headers)


def _event(event_id: Any, name: str, data: Any) -> bytes:
    return f"id: {event_id}\nevent: {name}\ndata: ".encode() + dumps(data) + b"\n\n"


async def _lifecycle(last_id: int | None) -> AsyncIterator[bytes]:
    position = await sync_to_async(_newest_id)() if last_id is None else last_id
    yield b": hello\n\n"
    pinged = time.monotonic()
    async with _woken() as wait:
        while True:
            rows = await sync_to_async(_rows_after)(position)
            for row in rows:
                position = row.id
                yield _event(row.id, row.event, _facts(row))
            if time.monotonic() - pinged >= _PING_EVERY:
                pinged = time.monotonic()
                yield b": ping\n\n"
            if len(rows) < _BATCH:
                await wait()


@releasing_connection
def _newest_id() -> int:
    return LifecycleEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0


@releasing_connection
def _rows_after(position: int) -> list[LifecycleEvent]:
    return list(LifecycleEvent.objects.filter(id__gt=position).order_by("id")[:_BATCH])


def _facts(row: LifecycleEvent) -> dict[str, Any]:
    return {**row.data, "event": row.event, "plugin_id": row.plugin_id, "node": row.node, "at": row.at}


async def _execution(execution_id: UUID, operator: bool) -> AsyncIterator[bytes]:
    """The row whenever it changes; event names are the status, and `progress` between."""
    sent, number, pinged = b"", 0, time.monotonic()
    async with _woken() as wait:
        while True:
            data, over = await sync_to_async(_execution_data)(execution_id, operator)
            encoded = dumps(data)
            if encoded != sent:
                sent, number = encoded, number + 1
                yield _event(number, "finished" if over else "progress", data)
            if over:
                return
            if time.monotonic() - pinged >= _PING_EVERY:
                pinged = time.monotonic()
                yield b": ping\n\n"
            await wait()


@releasing_connection
def _execution_data(execution_id: UUID, operator: bool) -> tuple[dict[str, Any], bool]:
    row = Execution.objects.get(id=execution_id)
    return dict(ExecutionSerializer(row, context={"operator": operator}).data), row.status in Execution.TERMINAL


@asynccontextmanager
async def _woken() -> AsyncIterator[Wait]:
    """A wait that ends when Redis says that something happened, or after a second."""
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1)
    pubsub = client.pubsub(ignore_subscribe_messages=True)

    async def wait() -> None:
        began = time.monotonic()
        try:
            if not pubsub.subscribed:
                await pubsub.subscribe(EVENTS_CHANNEL)
            await pubsub.get_message(timeout=_POLL)
        except (RedisError, OSError):  # look once a second then
            await asyncio.sleep(max(0.0, _POLL - (time.monotonic() - began)))

    try:
        yield wait
    finally:
        with contextlib.suppress(RedisError, OSError):
            await pubsub.aclose()
            await client.aclose()
