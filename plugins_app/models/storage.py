"""What plugins keep through `context.storage`."""

from __future__ import annotations

from django.db import models

from .plugin import Plugin

__all__ = ["StorageItem"]


class StorageItem(models.Model):
    """One value of one plugin."""

    plugin = models.ForeignKey(Plugin, on_delete=models.CASCADE, related_name="storage")
    key = models.CharField(max_length=255)
    value = models.JSONField(null=True)
    size_bytes = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("plugin", "key"), name="one_value_per_key"),)

    def __str__(self) -> str:
        return f"{self.plugin_id}: {self.key}"
