"""Python environments of plugins, named by the hash of what is in them."""

from __future__ import annotations

from django.db import models

__all__ = ["PluginEnvironment"]


class PluginEnvironment(models.Model):
    """One environment on this machine's disk, `STUDIO_ENVS/<key>`; plugins that ask for the same share it."""

    class Status(models.TextChoices):
        PENDING = "pending", "pending"
        INSTALLING = "installing", "installing"
        READY = "ready", "ready"
        FAILED = "failed", "failed"

    key = models.CharField(primary_key=True, max_length=64)
    requirements = models.JSONField(default=dict)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    fraction = models.FloatField(null=True)
    message = models.CharField(max_length=500, blank=True)
    error = models.TextField(blank=True)
    size_bytes = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.key[:12]} {self.status}"
