"""Long executions, and sync ones that carry an idempotency key."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from .plugin import Plugin

__all__ = ["Execution"]


class Execution(models.Model):
    """One call of a plugin method whose outcome is kept."""

    class Status(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plugin = models.ForeignKey(Plugin, on_delete=models.CASCADE, related_name="executions")
    method = models.CharField(max_length=128)
    args = models.JSONField(default=list)
    kwargs = models.JSONField(default=dict)
    timeout = models.FloatField(null=True, help_text="seconds")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    fraction = models.FloatField(null=True)
    message = models.CharField(max_length=500, blank=True)
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    generation = models.PositiveIntegerField(null=True)
    cancel_requested = models.BooleanField(default=False)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    lease_until = models.DateTimeField(null=True, help_text="until when the worker that runs it has it for itself")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("user", "idempotency_key"),
                condition=models.Q(idempotency_key__isnull=False),
                name="one_execution_per_idempotency_key",
            ),
        )

    def __str__(self) -> str:
        return f"{self.plugin_id}.{self.method} {self.status}"
