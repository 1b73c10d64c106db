"""What a user does with conversations: make, change, delete, restore, go to another branch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from aichat.chat import selectors
from aichat.chat.models import Conversation, Message

__all__ = [
    "branch_choose",
    "conversation_create",
    "conversation_delete",
    "conversation_restore",
    "conversation_retitle",
    "conversation_update",
    "conversations_purge",
]

#: How many are forgotten in one transaction, which others may have to wait for.
_AT_ONCE = 50
#: What a user may set.
_SETTABLE = ("title", "pinned", "archived", "model", "system_prompt", "params")


def conversation_create(*, user_id: int, fields: Mapping[str, Any]) -> Conversation:
    """A conversation in which nothing has been said yet."""
    conversation = Conversation(user_id=user_id)
    _set(conversation, fields)
    conversation.save()
    return conversation


def conversation_update(*, conversation: Conversation, fields: Mapping[str, Any]) -> Conversation:
    """Change what the user may change. When something was last said does not change by that."""
    changed = _set(conversation, fields)
    conversation.save(update_fields=changed)
    return conversation


def _set(conversation: Conversation, fields: Mapping[str, Any]) -> list[str]:
    changed = [name for name in _SETTABLE if name in fields]
    for name in changed:
        setattr(conversation, name, fields[name])
    if fields.get("title"):
        conversation.titled_by = Conversation.TitledBy.USER
        changed.append("titled_by")
    return changed


def conversation_retitle(*, conversation_id: UUID | str, title: str, force: bool = False) -> bool:
    """Give the conversation the title a model made, unless the user chose one; False when it was not taken."""
    conversations = Conversation.objects.filter(pk=conversation_id, deleted_at=None)
    if not force:
        conversations = conversations.filter(titled_by=Conversation.TitledBy.WORDS)
    return bool(conversations.update(title=title, titled_by=Conversation.TitledBy.MODEL))


def conversations_purge() -> int:
    """Forget what was deleted long enough ago; return how many. Where that is set, what lies idle is deleted first."""
    now = timezone.now()
    if settings.STUDIO_IDLE_DAYS:
        idle = Conversation.objects.filter(deleted_at=None, pinned=False)
        idle.filter(updated_at__lt=now - timedelta(days=settings.STUDIO_IDLE_DAYS)).update(deleted_at=now)
    old = Conversation.objects.filter(deleted_at__lt=now - timedelta(days=settings.STUDIO_DELETED_DAYS))
    purged = 0
    while some := list(old.values_list("pk", flat=True)[:_AT_ONCE]):
        with transaction.atomic():
            purged += old.filter(pk__in=some).delete()[1].get("chat.Conversation", 0)
    return purged


@transaction.atomic
def conversation_delete(*, conversation: Conversation) -> None:
    """Take it out of sight, to be purged later; an answer under way is cancelled by that."""
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=timezone.now())
    conversation.messages.filter(status=Message.Status.STREAMING).update(cancel_requested=True)


def conversation_restore(*, user_id: int, conversation_id: UUID | str) -> Conversation:
    """Bring a deleted conversation back; one that is not deleted stays as it is.

    Raises:
        ChatError: there is none, or it has been purged.
    """
    mine = Conversation.objects.filter(user_id=user_id, pk=conversation_id)
    mine.update(deleted_at=None)
    return selectors.conversation_get(user_id=user_id, conversation_id=conversation_id)


def branch_choose(*, conversation: Conversation, message_id: UUID | str) -> Conversation:
    """Make the branch through this message the current one, as far as it goes.

    Raises:
        ChatError: there is no such message in the conversation.
    """
    message = selectors.message_get(conversation=conversation, message_id=message_id)
    conversation.leaf_id = selectors.tree_of(conversation).newest_leaf(message.pk)
    conversation.save(update_fields=("leaf",))
    return conversation
