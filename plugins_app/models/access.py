"""Keys for programs that call the API."""

from __future__ import annotations

from django.conf import settings
from django.db import models

__all__ = ["ApiKey"]


class ApiKey(models.Model):
    """A revocable key. Only the hash of its secret is kept; `prefix` finds it and is safe to show."""

    class Role(models.TextChoices):
        OPERATOR = "operator", "operator"
        USER = "user", "user"

    name = models.CharField(max_length=100, unique=True)
    role = models.CharField(max_length=16, choices=Role.choices)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return f"{self.name} ({self.role})"
