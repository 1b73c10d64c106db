"""Writing attachments: they are stored when they come, and belong to a message later."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone

from aichat.chat.errors import ChatError
from aichat.chat.files import clean_name, file_facts
from aichat.chat.models import Attachment, AttachmentContent
from plugins_app.services.room import require_room

__all__ = ["attachment_add", "attachment_content", "attachment_delete", "attachment_upload", "attachments_purge"]

#: How long a file waits for its message.
_UNUSED = timedelta(days=1)


def attachment_upload(*, user_id: int, name: str, data: bytes) -> Attachment:
    """Store a file that is to be named in a message.

    Raises:
        ChatError: as for `attachment_add`, or too much of the user's waits for a message already.
    """
    since = timezone.now() - _UNUSED
    waiting = Attachment.objects.filter(user_id=user_id, messages=None, created_at__gte=since)
    found = waiting.aggregate(number=Count("pk"), size=Sum("size", default=0))
    most, most_bytes = settings.STUDIO_ATTACHMENTS_WAITING, settings.STUDIO_ATTACHMENTS_WAITING_BYTES
    if found["number"] >= most or found["size"] + len(data) > most_bytes:
        limit = f"{most} files, and {most_bytes // 10**6} MB together"
        detail = f"Only {limit}, may wait for a message. Send or delete some; each is deleted after a day."
        raise ChatError("attachments_waiting", detail)
    return attachment_add(user_id=user_id, name=name, data=data)


def attachment_add(*, user_id: int, name: str, data: bytes) -> Attachment:
    """Store a file.

    Raises:
        StudioError: it is too large, broken, or nothing that a model can be told; or there is no room for it.
    """
    name = clean_name(name)
    facts = file_facts(name, data)
    require_room(len(data))
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
