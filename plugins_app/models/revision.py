"""Every configuration an operator has stored, so that each can be compared and brought back."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from .plugin import Plugin

__all__ = ["ConfigRevision"]


class ConfigRevision(models.Model):
    """What was stored of one plugin's configuration from one moment on. Never changed, but for `undone`.

    `generation` is the release that was made for it, None when the plugin was not loaded. `undone` means that this
    release failed and the revision before it came back.
    """

    plugin = models.ForeignKey(Plugin, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    config = models.JSONField(default=dict, help_text="as stored; secrets encrypted")
    config_version = models.PositiveIntegerField(default=1)
    generation = models.PositiveIntegerField(null=True)
    cause = models.CharField(max_length=32, help_text="load, config, rollback, migration, ...")
    undone = models.BooleanField(default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = (models.UniqueConstraint(fields=("plugin", "number"), name="one_revision_per_number"),)

    def __str__(self) -> str:
        return f"{self.plugin_id} revision {self.number}"
