"""Recording what happened. The row is the truth; hooks, live pages and webhooks read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from plugins_app.models import LifecycleEvent

from .hints import EVENTS_CHANNEL, hint_on_commit
from .outbox import deliveries_create

__all__ = ["EVENTS", "event_record", "events_prune", "events_turn"]

EVENTS = (
    "plugin_discovered",
    "plugin_installed",
    "plugin_loading",
    "plugin_loaded",
    "plugin_reloaded",
    "plugin_unloaded",
    "plugin_failed",
    "plugin_config_changed",
    "plugin_crashed",
    "plugin_recovered",
    "execution_started",
    "execution_progress",
    "execution_finished",
)

KEPT = timedelta(days=90)
KEPT_AT_MOST = 1_000_000
_BATCH = 1000
_TURN = 0x73747564696F  # "studio": any number that nothing else in the database uses


def event_record(
    *, event: str, plugin_id: str, data: dict[str, Any] | None = None, node: str | None = None
) -> LifecycleEvent:
    """Write one event and wake those who wait for it.

    In a transaction, take every other lock first: the turn to write events is the last one.
    """
    where = settings.STUDIO_NODE if node is None else node
    with events_turn():
        row = LifecycleEvent.objects.create(event=event, plugin_id=plugin_id, node=where, data=data or {})
        hint_on_commit(EVENTS_CHANNEL, str(row.id))
        deliveries_create(row)
    return row


@contextmanager
def events_turn() -> Iterator[None]:
    """A transaction in which nobody else writes events, nor anything that belongs to them."""
    with transaction.atomic(savepoint=False):
        _take_turn()
        yield


def _take_turn() -> None:
    """Hold back other writers until this transaction ends, so that whoever has read an event has read all before it.

    Without it PostgreSQL may show number 8 before number 7, and a reader that goes by numbers would never see 7.
    SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])


def events_prune() -> int:
    """Forget the oldest events: what is older than 90 days, or more than a million. In small bites; for beat."""
    too_many = LifecycleEvent.objects.order_by("-id").values_list("id", flat=True)[KEPT_AT_MOST : KEPT_AT_MOST + 1]
    last, oldest_kept, count = next(iter(too_many), 0), timezone.now() - KEPT, 0
    while rows := list(LifecycleEvent.objects.order_by("id").values_list("id", "at")[:_BATCH]):
        over = [number for number, at in rows if number <= last or at < oldest_kept]
        count += LifecycleEvent.objects.filter(id__in=over).delete()[0]
        if len(over) < len(rows):
            break
    return count
