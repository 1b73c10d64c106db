"""Celery's face of the chat: what is tidied up."""

from __future__ import annotations

from celery import shared_task

from aichat.chat.services_attachments import attachments_purge
from aichat.chat.services_conversations import conversations_purge

__all__ = ["conversations_tidy"]


@shared_task(name="aichat.chat.tasks.conversations_tidy")
def conversations_tidy() -> None:
    """Forget what was deleted long ago, and files that no message has."""
    conversations_purge()
    attachments_purge()
