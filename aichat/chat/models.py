"""What was said. A row is the stored truth of a message; a running answer is `streaming` under a lease."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

__all__ = ["LEASE", "Conversation", "Message"]

#: How long an answer counts as alive after its process was last heard of.
LEASE = timedelta(seconds=20)


class Conversation(models.Model):
    """One chat of one user. Nobody else sees it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(default=timezone.now, help_text="when something was last said")

    class Meta:
        ordering = ("-updated_at",)
        indexes = (models.Index(fields=("user", "-updated_at"), name="conversations_of_user"),)

    def __str__(self) -> str:
        return str(self.id)  # not the title: logs and the admin show this


class Message(models.Model):
    """One message, in OpenAI's terms. `parts` is set when the content was a list; `content` is then its text."""

    class Role(models.TextChoices):
        SYSTEM = "system", "system"
        USER = "user", "user"
        ASSISTANT = "assistant", "assistant"
        TOOL = "tool", "tool"

    class Status(models.TextChoices):
        STREAMING = "streaming", "streaming"
        COMPLETE = "complete", "complete"
        ERROR = "error", "error"
        CANCELLED = "cancelled", "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    position = models.PositiveIntegerField()
    role = models.CharField(max_length=16, choices=Role.choices)
    content = models.TextField(blank=True)
    parts = models.JSONField(null=True, blank=True)
    reasoning = models.TextField(blank=True)
    tool_calls = models.JSONField(null=True, blank=True)
    tool_call_id = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.COMPLETE)
    finish_reason = models.CharField(max_length=32, blank=True)
    usage = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    duration_ms = models.FloatField(null=True)
    generation = models.PositiveIntegerField(null=True)
    lease_until = models.DateTimeField(null=True, help_text="until when the process that streams it has it for itself")
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("conversation_id", "position")
        constraints = (models.UniqueConstraint(fields=("conversation", "position"), name="one_message_per_position"),)

    def __str__(self) -> str:
        return f"{self.role} #{self.position} of {self.conversation_id}"

    def is_running(self, now: datetime | None = None) -> bool:
        """Whether some process is still answering; one whose lease ran out has died with its process."""
        now = now or timezone.now()
        # A lease that is good for longer than any was given before the clock was moved back.
        is_held = self.lease_until is not None and now < self.lease_until <= now + 2 * LEASE
        return self.status == self.Status.STREAMING and is_held

    def to_openai(self) -> dict[str, Any]:
        """The message as providers and middlewares see it."""
        data: dict[str, Any] = {"role": self.role, "content": self.parts if self.parts is not None else self.content}
        if self.tool_calls:
            data["tool_calls"] = self.tool_calls
        if self.tool_call_id:
            data["tool_call_id"] = self.tool_call_id
        if self.name:
            data["name"] = self.name
        return data
