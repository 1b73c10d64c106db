"""Python environments of plugins, named by the hash of what is in them."""

from __future__ import annotations

from django.db import models

__all__ = ["PluginEnvironment"]


class PluginEnvironment(models.Model):
    """One environment on one node's disk, `STUDIO_ENVS/<key>`; plugins that ask for the same share it.

    `lock` is exactly which packages it holds, with their hashes, once it was ready; other nodes install the same.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "pending"
        INSTALLING = "installing", "installing"
        READY = "ready", "ready"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    key = models.CharField(max_length=64)
    node = models.CharField(max_length=64)
    requirements = models.JSONField(default=dict)
    lock = models.TextField(blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    fraction = models.FloatField(null=True)
    message = models.CharField(max_length=500, blank=True)
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    size_bytes = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (models.UniqueConstraint(fields=("key", "node"), name="one_environment_per_node"),)

    def __str__(self) -> str:
        return f"{self.key[:12]} {self.status}"
