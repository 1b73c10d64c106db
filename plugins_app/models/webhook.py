"""Who is told over HTTP what happens, and what became of each message."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from .event import LifecycleEvent

__all__ = ["Webhook", "WebhookDelivery"]


class Webhook(models.Model):
    """One receiver. `secret` is encrypted; `events` empty means all but progress, `plugins` empty means all."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    url = models.URLField(max_length=1000)
    secret = models.JSONField(default=dict)
    events = models.JSONField(default=list, blank=True)
    plugins = models.JSONField(default=list, blank=True)
    enabled = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, help_text="failed attempts since the last success")
    disabled_reason = models.CharField(max_length=500, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def wants(self, event: str, plugin_id: str) -> bool:
        """Whether it is to be told of this event of this plugin."""
        if self.plugins and plugin_id not in self.plugins:
            return False
        if not self.events:
            return event != "execution_progress"
        return any(event == name or (name.endswith(":*") and event.startswith(name[:-1])) for name in self.events)


class WebhookDelivery(models.Model):
    """One message to one receiver, through all its attempts. The id is the message's `webhook-id`."""

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting"
        DELIVERED = "delivered", "delivered"
        FAILED = "failed", "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(LifecycleEvent, null=True, on_delete=models.SET_NULL, related_name="+")
    type = models.CharField(max_length=64)
    body = models.TextField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WAITING)
    attempts = models.JSONField(default=list, help_text="each: at, status, duration_ms, error, answer (shortened)")
    next_attempt_at = models.DateTimeField(null=True, db_index=True)
    lease_until = models.DateTimeField(null=True, help_text="until when the worker that sends it has it for itself")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name_plural = "webhook deliveries"
        indexes = (
            models.Index(fields=("webhook", "-created_at"), name="delivery_log"),
            models.Index(fields=("created_at",), name="delivery_age"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.status}"
