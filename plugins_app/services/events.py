"""Recording what happened. The row is the truth; hooks, live pages and webhooks read it."""

from __future__ import annotations

from typing import Any

from django.conf import settings

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


def event_record(
    *, event: str, plugin_id: str, data: dict[str, Any] | None = None, node: str | None = None
) -> LifecycleEvent:
    """Write one event and wake those who wait for it."""
    where = settings.STUDIO_NODE if node is None else node
    row = LifecycleEvent.objects.create(event=event, plugin_id=plugin_id, node=where, data=data or {})
    hint_on_commit(EVENTS_CHANNEL, str(row.id))
    return row
