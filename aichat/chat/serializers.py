"""Conversations as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aichat.chat import selectors
from aichat.chat.models import Conversation, Message

__all__ = ["ConversationDetailSerializer", "ConversationSerializer", "MessageSerializer"]


class MessageSerializer(serializers.ModelSerializer[Message]):
    """One message. An answer whose process died is shown as the failure it is."""

    content = serializers.SerializerMethodField(help_text="text, or OpenAI's list of parts")
    status = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = (
            "id",
            "role",
            "content",
            "reasoning",
            "tool_calls",
            "tool_call_id",
            "name",
            "model",
            "status",
            "finish_reason",
            "usage",
            "error",
            "duration_ms",
            "generation",
            "created_at",
        )
        read_only_fields = fields

    def get_content(self, message: Message) -> Any:
        return message.content if message.parts is None else message.parts

    def get_status(self, message: Message) -> str:
        died = message.status == Message.Status.STREAMING and not message.is_running()
        return Message.Status.ERROR.value if died else message.status

    def get_error(self, message: Message) -> dict[str, Any] | None:
        return selectors.message_error(message)


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    """A conversation in a list. Only the title can be changed."""

    title = serializers.CharField(max_length=200, allow_blank=False)

    class Meta:
        model = Conversation
        fields: tuple[str, ...] = ("id", "title", "created_at", "updated_at")
        read_only_fields: tuple[str, ...] = ("id", "created_at", "updated_at")


class ConversationDetailSerializer(ConversationSerializer):
    """A conversation with all that was said in it."""

    messages = MessageSerializer(many=True, read_only=True)

    class Meta(ConversationSerializer.Meta):
        fields = (*ConversationSerializer.Meta.fields, "messages")
