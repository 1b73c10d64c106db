"""Reading conversations: always through their user."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from aichat.chat.errors import ChatError
from aichat.chat.models import Conversation, Message

__all__ = ["conversation_get", "conversation_list", "export_data", "history", "message_error", "streaming_message"]


def conversation_list(*, user_id: int, search: str = "") -> QuerySet[Conversation]:
    """The user's conversations, the one last talked in first."""
    conversations = Conversation.objects.filter(user_id=user_id)
    return conversations.filter(title__icontains=search) if search else conversations


def conversation_get(*, user_id: int, conversation_id: UUID | str, messages: bool = False) -> Conversation:
    """One conversation of the user.

    Raises:
        ChatError: there is none, or it is someone else's; which of the two is not told.
    """
    conversations = Conversation.objects.filter(user_id=user_id, pk=conversation_id)
    if messages:
        conversations = conversations.prefetch_related(Prefetch("messages", Message.objects.order_by("position")))
    conversation = conversations.first()
    if conversation is None:
        raise ChatError("conversation_not_found", "There is no such conversation among yours.")
    return conversation


def history(*, conversation: Conversation) -> list[dict[str, Any]]:
    """What a model is told of a conversation: all that was said and did not fail."""
    said = conversation.messages.filter(status__in=(Message.Status.COMPLETE, Message.Status.CANCELLED))
    return [message.to_openai() for message in said.order_by("position") if _is_sayable(message)]


def _is_sayable(message: Message) -> bool:
    return message.status == Message.Status.COMPLETE or bool(message.content)


def streaming_message(*, conversation: Conversation, message_id: UUID | str | None = None) -> Message | None:
    """The answer `message_id`, or the one under way."""
    if message_id is not None:
        return conversation.messages.filter(pk=message_id, role=Message.Role.ASSISTANT).first()
    streaming = conversation.messages.filter(status=Message.Status.STREAMING).order_by("-position")
    return next((message for message in streaming if message.is_running()), None)


def message_error(message: Message) -> dict[str, Any] | None:
    """Why an answer failed; one whose process died says so although nobody was left to write it down."""
    if message.status == Message.Status.STREAMING and not message.is_running(timezone.now()):
        return ChatError("interrupted", "The server stopped while it answered; ask again.").to_dict()
    return message.error


def export_data(*, conversation: Conversation) -> dict[str, Any]:
    """A conversation as export plugins get it."""
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "messages": [
            message.to_openai()
            | {
                "id": str(message.pk),
                "model": message.model or None,
                "reasoning": message.reasoning or None,
                "usage": message.usage,
                "created_at": message.created_at.isoformat(),
            }
            for message in conversation.messages.order_by("position")
            if message.content or message.tool_calls or message.parts
        ],
    }
