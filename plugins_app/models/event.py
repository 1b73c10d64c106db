"""What happened, in order: the source of hooks, live pages and the admin's history."""

from __future__ import annotations

from django.db import models

__all__ = ["LifecycleEvent"]


class LifecycleEvent(models.Model):
    """One event. The id is the order, and what SSE resumes from."""

    id = models.BigAutoField(primary_key=True)
    event = models.CharField(max_length=64)
    plugin_id = models.CharField(max_length=64, db_index=True)
    node = models.CharField(max_length=64, blank=True)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.event} {self.plugin_id}"
