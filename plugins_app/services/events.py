"""Recording what happened. The row is the truth; hooks, live pages and webhooks read it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection, transaction

from plugins_app.models import LifecycleEvent

from .hints import EVENTS_CHANNEL, hint_on_commit

__all__ = ["EVENTS", "event_record"]

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


_TURN = 0x73747564696F  # "studio": any number that nothing else in the database uses


def event_record(
    *, event: str, plugin_id: str, data: dict[str, Any] | None = None, node: str | None = None
) -> LifecycleEvent:
    """Write one event and wake those who wait for it.

    In a transaction, take every other lock first: the turn to write events is the last one.
    """
    where = settings.STUDIO_NODE if node is None else node
    with transaction.atomic(savepoint=False):
        _take_turn()
        row = LifecycleEvent.objects.create(event=event, plugin_id=plugin_id, node=where, data=data or {})
        hint_on_commit(EVENTS_CHANNEL, str(row.id))
    return row


def _take_turn() -> None:
    """Hold back other writers until this transaction ends, so that whoever has read an event has read all before it.

    Without it PostgreSQL may show number 8 before number 7, and a reader that goes by numbers would never see 7.
    SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])
