"""The outbox of webhooks: a message for each receiver is stored with its event, or neither is."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.utils import timezone

from plugins_app.models import LifecycleEvent, Webhook, WebhookDelivery

from .queue import enqueue_each_on_commit

__all__ = ["deliveries_create", "message_body"]


def deliveries_create(event: LifecycleEvent) -> list[WebhookDelivery]:
    """A delivery for each webhook that wants the event; sent when the transaction under way is committed.

    Runs while the turn to write events is held. A webhook is deleted only by whoever holds that turn, so none can
    vanish between being read here and the commit.
    """
    webhooks = Webhook.objects.filter(enabled=True).only("id", "events", "plugins")
    wanting = [webhook for webhook in webhooks if webhook.wants(event.event, event.plugin_id)]
    if not wanting:
        return []
    facts = {**event.data, "id": event.id, "plugin_id": event.plugin_id, "node": event.node}
    body, now = message_body(event.event, event.at, facts), timezone.now()
    made = WebhookDelivery.objects.bulk_create(
        WebhookDelivery(webhook=webhook, event=event, type=event.event, body=body, next_attempt_at=now)
        for webhook in wanting
    )
    enqueue_each_on_commit("webhook_deliver", [str(delivery.id) for delivery in made])
    return made


def message_body(kind: str, at: datetime, data: dict[str, Any]) -> str:
    """What is sent, and signed, to the last byte; plain ASCII, so that no receiver can decode it differently."""
    when = at.isoformat().replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": when, "data": data}, separators=(",", ":"))
