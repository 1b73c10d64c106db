"""Server-sent events, read from the database: whoever comes back with `Last-Event-ID` misses nothing.

Events are kept for 90 days. Whoever comes back later, or with a number of another database, is told so first: `gap`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter
from redis.exceptions import RedisError
from rest_framework.request import Request

from plugins_app.models import Execution, LifecycleEvent
from plugins_app.services.connections import DATABASE_AWAY, releasing_connection
from plugins_app.services.errors import StudioError
from plugins_app.services.events import EVENTS
from plugins_app.services.hints import EVENTS_CHANNEL

from .rendering import dumps
from .serializers import ExecutionSerializer

__all__ = ["EVENT_PARAMETERS", "PARAMETERS", "EventFilter", "execution_stream", "facts", "lifecycle_stream"]

PARAMETERS = {
    "plugin": OpenApiParameter("plugin", description="one plugin's id, or several with commas"),
    "event": OpenApiParameter(
        "event", description="one event's name, or several with commas; <plugin>:* is all its own"
    ),
}
EVENT_PARAMETERS = [
    OpenApiParameter("Last-Event-ID", int, OpenApiParameter.HEADER, description="resume after this event"),
    OpenApiParameter("last_event_id", int, description="the same, for who cannot send the header"),
    *PARAMETERS.values(),
]

_PING_EVERY = 15.0
_POLL = 1.0
_BATCH = 200
Wait = Callable[[], Any]


def lifecycle_stream(request: Request) -> StreamingHttpResponse:
    """Every plugin's events, from the one after `Last-Event-ID` on, or from now on.

    Raises:
        StudioError: `invalid`: there is no such event to wait for.
    """
    return _response(_lifecycle(_last_event_id(request), EventFilter.of(request)))


def execution_stream(request: Request, execution_id: UUID) -> StreamingHttpResponse:
    """One execution's progress and, last, its end."""
    operator = request.user.has_perm("plugins_app.operate")
    return _response(_execution(execution_id, operator))


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a client wants; an empty list means all."""

    plugins: tuple[str, ...]
    events: tuple[str, ...]

    @classmethod
    def of(cls, request: Request) -> EventFilter:
        """What a request asks for.

        Raises:
            StudioError: `invalid`: there is no such event.
        """
        plugins, events = (_listed(request.query_params.getlist(name)) for name in ("plugin", "event"))
        for event in events:
            if event not in EVENTS and ":" not in event:
                message = f"There is no event {event!r}; there are {', '.join(EVENTS)}, and <plugin>:<event>."
                raise StudioError("invalid", message, errors=[{"pointer": "/event", "message": message}])
        return cls(plugins, events)

    def narrowed(self, rows: QuerySet[LifecycleEvent]) -> QuerySet[LifecycleEvent]:
        """The rows it wants."""
        names = [event for event in self.events if not event.endswith(":*")]
        wanted = Q(event__in=names)
        for event in set(self.events) - set(names):
            wanted |= Q(event__startswith=event[:-1])
        rows = rows.filter(plugin_id__in=self.plugins) if self.plugins else rows
        return rows.filter(wanted) if self.events else rows

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.plugins or self.events)

    def wants(self, row: LifecycleEvent) -> bool:
        """Whether this row is one of them."""
        if self.plugins and row.plugin_id not in self.plugins:
            return False
        own = [name[:-1] for name in self.events if name.endswith(":*")]
        return not self.events or row.event in self.events or row.event.startswith(tuple(own))


def _listed(values: list[str]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _last_event_id(request: Request) -> int | None:
    text = request.META.get("HTTP_LAST_EVENT_ID") or request.query_params.get("last_event_id", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _response(events: AsyncIterator[bytes]) -> StreamingHttpResponse:
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(events, content_type="text/event-stream", headers=headers)


def _event(event_id: Any, name: str, data: Any) -> bytes:
    return f"id: {event_id}\nevent: {name}\ndata: ".encode() + dumps(data) + b"\n\n"


async def _lifecycle(last_id: int | None, wanted: EventFilter) -> AsyncIterator[bytes]:
    position, gap = await sync_to_async(_start)(last_id)
    yield b": hello\n\n"
    if gap is not None:
        yield _event(position, "gap", gap)
    pinged = time.monotonic()
    async with _woken() as wait:
        while True:
            rows = await sync_to_async(_rows_after)(position)
            for row in rows:
                position = row.id
                if wanted.wants(row):
                    yield _event(row.id, row.event, facts(row))
            if time.monotonic() - pinged >= _PING_EVERY:
                pinged = time.monotonic()
                # The number alone is no event, but where to resume: what a filter left out need not be looked at again.
                yield b": ping\n\n" if wanted.everything else f"id: {position}\n\n".encode()
            if len(rows) < _BATCH:
                await wait()


@releasing_connection
def _start(last_id: int | None) -> tuple[int, dict[str, Any] | None]:
    """After which event to begin, and what is missing before it."""
    ids = LifecycleEvent.objects.values_list("id", flat=True)
    newest = ids.order_by("-id").first() or 0
    if last_id is None:
        return newest, None
    oldest = ids.order_by("id").first()
    facts = {"last_event_id": last_id, "oldest": oldest}
    if last_id > newest:  # a number of another database, or everything since has been forgotten
        return newest, facts
    if oldest is not None and oldest > last_id + 1:
        return oldest - 1, facts
    return last_id, None


@releasing_connection
def _rows_after(position: int) -> list[LifecycleEvent]:
    try:
        return list(LifecycleEvent.objects.filter(id__gt=position).order_by("id")[:_BATCH])
    except DATABASE_AWAY:
        return []  # it is looked at again in a second; whoever listens need not know


def facts(row: LifecycleEvent) -> dict[str, Any]:
    """An event as it is shown: what it carries cannot pass for what it is."""
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
