"""Writing attachments: they are stored when they come, and belong to a message later."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from aichat.chat.errors import ChatError
from aichat.chat.files import clean_name, file_facts
from aichat.chat.models import Attachment, AttachmentContent

__all__ = ["attachment_add", "attachment_content", "attachment_delete", "attachments_purge"]

#: How long a file waits for its message.
_UNUSED = timedelta(days=1)


def attachment_add(*, user_id: int, name: str, data: bytes) -> Attachment:
    """Store a file.

    Raises:
        ChatError: it is too large, broken, or nothing that a model can be told.
    """
    name = clean_name(name)
    facts = file_facts(name, data)
    attachment = Attachment(
        user_id=user_id,
        name=name,
        size=len(data),
        **{field: getattr(facts, field) for field in ("kind", "media_type", "characters", "pages", "width", "height")},
    )
    with transaction.atomic():
        attachment.save()
        AttachmentContent.objects.create(attachment=attachment, data=data, text=facts.text)
    return attachment


def attachment_content(*, user_id: int, attachment_id: UUID) -> Attachment:
    """One attachment of the user, with what is in it.

    Raises:
        ChatError: there is none, or it is someone else's; which of the two is not told.
    """
    found = Attachment.objects.filter(user_id=user_id, pk=attachment_id).select_related("content").first()
    if found is None:
        raise ChatError("attachment_not_found", "There is no such attachment among yours.")
    return found


@transaction.atomic
def attachment_delete(*, user_id: int, attachment_id: UUID) -> None:
    """Delete a file that belongs to no message.

    Raises:
        ChatError: there is none, or a message has it.
    """
    found = Attachment.objects.select_for_update().filter(user_id=user_id, pk=attachment_id).first()
    if found is None:
        raise ChatError("attachment_not_found", "There is no such attachment among yours.")
    if found.messages.exists():
        raise ChatError("attachment_in_use", "It belongs to a message, and goes with its conversation.")
    found.delete()


def attachments_purge() -> int:
    """Delete the files that waited for a message in vain, or whose conversation is gone; return how many."""
    unused = Attachment.objects.filter(messages=None, created_at__lt=timezone.now() - _UNUSED)
    deleted = 0
    while some := list(unused.values_list("pk", flat=True)[:100]):
        deleted += Attachment.objects.filter(pk__in=some, messages=None).delete()[1].get("chat.Attachment", 0)
    return deleted
