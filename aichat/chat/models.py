"""What was said. A row is the stored truth of a message; a running answer is `streaming` under a lease.

The messages of a conversation are a tree: each names the one it follows, `leaf` is the end of the branch that is shown.
Titles and contents are indexed for search by the database itself: `migrations/_search.py`.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

__all__ = ["LEASE", "Attachment", "AttachmentContent", "Conversation", "Message", "ToolApproval"]

#: How long an answer counts as alive after its process was last heard of.
LEASE = timedelta(seconds=20)


class Attachment(models.Model):
    """A file of one user, to be sent along with messages. What is in it is a row of its own, read only when needed."""

    class Kind(models.TextChoices):
        IMAGE = "image", "image"
        TEXT = "text", "text"
        PDF = "pdf", "PDF"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=100)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    size = models.PositiveIntegerField(help_text="in bytes")
    pages = models.PositiveIntegerField(null=True)
    characters = models.PositiveIntegerField(null=True)
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = (models.Index(fields=("created_at",), name="attachments_by_age"),)

    def __str__(self) -> str:
        return str(self.id)  # not the name: logs and the admin show this


class AttachmentContent(models.Model):
    """The bytes of an attachment, and the words in it for models that read no files."""

    attachment = models.OneToOneField(Attachment, on_delete=models.CASCADE, primary_key=True, related_name="content")
    data = models.BinaryField()
    text = models.TextField(blank=True)

    def __str__(self) -> str:
        return str(self.attachment_id)


class Conversation(models.Model):
    """One chat of one user. Nobody else sees it."""

    class TitledBy(models.TextChoices):
        """Who chose the title; what the user chose is never replaced."""

        WORDS = "words", "the first words"
        MODEL = "model", "a model"
        USER = "user", "the user"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=200, blank=True)
    titled_by = models.CharField(max_length=8, choices=TitledBy.choices, default=TitledBy.WORDS)
    pinned = models.BooleanField(default=False)
    archived = models.BooleanField(default=False)
    model = models.CharField(max_length=255, blank=True, help_text="the one asked last, or chosen for what comes next")
    system_prompt = models.TextField(blank=True)
    params = models.JSONField(default=dict, blank=True, help_text="OpenAI's: temperature, max_tokens, ...")
    leaf = models.ForeignKey("Message", null=True, on_delete=models.SET_NULL, related_name="+")
    source = models.CharField(max_length=200, blank=True, help_text="what it was imported from")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now, help_text="when something was last said")
    deleted_at = models.DateTimeField(null=True, help_text="it can be restored until it is purged")

    class Meta:
        ordering = ("-pinned", "-updated_at")
        indexes = (
            models.Index(fields=("user", "-pinned", "-updated_at"), name="conversations_of_user"),
            models.Index(fields=("user", "source"), condition=~models.Q(source=""), name="conversations_imported"),
            models.Index(
                fields=("deleted_at",), condition=models.Q(deleted_at__isnull=False), name="conversations_deleted"
            ),
        )

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
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    position = models.PositiveIntegerField(help_text="later ones have a higher one, in whatever branch")
    role = models.CharField(max_length=16, choices=Role.choices)
    content = models.TextField(blank=True)
    parts = models.JSONField(null=True, blank=True)
    attachments: models.ManyToManyField[Attachment, Any] = models.ManyToManyField(Attachment, related_name="messages")
    reasoning = models.TextField(blank=True)
    tool_calls = models.JSONField(null=True, blank=True)
    tool_call_id = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.COMPLETE)
    finish_reason = models.CharField(max_length=32, blank=True)
    usage = models.JSONField(null=True, blank=True)
    cost = models.FloatField(null=True, help_text="in USD, where the model has a price")
    error = models.JSONField(null=True, blank=True)
    duration_ms = models.FloatField(null=True)
    first_token_ms = models.FloatField(null=True)
    generation = models.PositiveIntegerField(null=True)
    lease_until = models.DateTimeField(null=True, help_text="until when the process that streams it has it for itself")
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("conversation_id", "position")
        indexes = (models.Index(fields=("conversation", "position"), name="messages_of_conversation"),)

    def __str__(self) -> str:
        return f"{self.role} #{self.position} of {self.conversation_id}"

    def is_running(self, now: datetime | None = None) -> bool:
        """Whether some process is still answering; one whose lease ran out has died with its process."""
        now = now or timezone.now()
        # A lease that is good for longer than any was given before the clock was moved back.
        is_held = self.lease_until is not None and now < self.lease_until <= now + 2 * LEASE
        return self.status == self.Status.STREAMING and is_held

    def to_openai(self) -> dict[str, Any]:
        """The message as providers and middlewares see it, without what is attached to it."""
        data: dict[str, Any] = {"role": self.role, "content": self.parts if self.parts is not None else self.content}
        if self.tool_calls:
            data["tool_calls"] = self.tool_calls
        if self.tool_call_id:
            data["tool_call_id"] = self.tool_call_id
        if self.name:
            data["name"] = self.name
        return data


class ToolApproval(models.Model):
    """Whether a destructive tool may be used for one call. `approved` is null while the user is being asked."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="approvals", help_text="the answer")
    call_id = models.CharField(max_length=200)
    plugin_id = models.CharField(max_length=64)
    action = models.CharField(max_length=200)
    approved = models.BooleanField(null=True)
    remembered = models.BooleanField(default=False, help_text="holds for this tool in the whole conversation")
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("message", "call_id"), name="one_approval_per_call"),)

    def __str__(self) -> str:
        return f"{self.plugin_id}.{self.action} for {self.message_id}"
