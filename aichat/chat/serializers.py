"""Conversations as JSON."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from aichat.chat import selectors
from aichat.chat.models import Attachment, Conversation, Message
from aichat.chat.params import checked_params
from plugins_app.api.serializers import Strict, Text

__all__ = [
    "AttachmentSerializer",
    "BranchSerializer",
    "ConversationDetailSerializer",
    "ConversationSerializer",
    "DeletedSerializer",
    "FoundSerializer",
    "ImportSerializer",
    "MessageSerializer",
]


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    """A file that is or can be sent along with a message."""

    class Meta:
        model = Attachment
        fields = ("id", "name", "media_type", "size", "kind", "pages", "characters", "width", "height")
        read_only_fields = fields

    def to_representation(self, instance: Attachment) -> dict[str, Any]:
        """Without what files of its kind do not have."""
        return {name: value for name, value in super().to_representation(instance).items() if value is not None}


class MessageSerializer(serializers.ModelSerializer[Message]):
    """One message. An answer whose process died is shown as the failure it is."""

    siblings = serializers.SerializerMethodField(help_text="what stands beside it, itself among it, the oldest first")
    content = serializers.SerializerMethodField(help_text="text, or OpenAI's list of parts")
    attachments = AttachmentSerializer(many=True, read_only=True)
    status = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = (
            "id",
            "parent_id",
            "siblings",
            "role",
            "content",
            "parts",
            "attachments",
            "reasoning",
            "tool_calls",
            "tool_call_id",
            "name",
            "model",
            "status",
            "finish_reason",
            "usage",
            "cost",
            "error",
            "duration_ms",
            "first_token_ms",
            "generation",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field({"type": "array", "items": {"type": "string", "format": "uuid"}})
    def get_siblings(self, message: Message) -> list[str]:
        return [str(one) for one in self.context["siblings"][message.pk]]

    def get_content(self, message: Message) -> Any:
        return message.content if message.parts is None else message.parts

    def get_status(self, message: Message) -> str:
        died = message.status == Message.Status.STREAMING and not message.is_running()
        return Message.Status.ERROR.value if died else message.status

    def get_error(self, message: Message) -> dict[str, Any] | None:
        return selectors.message_error(message)


@extend_schema_field({"type": "object", "additionalProperties": True})
class ParamsField(serializers.Field[Any, Any, Any, Any]):
    """A model's parameters, checked."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            return checked_params(data)
        except msgspec.ValidationError as error:
            raise serializers.ValidationError(str(error)) from error

    def to_representation(self, value: Any) -> Any:
        return value


class ConversationSerializer(Strict, serializers.ModelSerializer[Conversation]):
    """A conversation in a list, and what of it can be changed. It may be sent back as it is listed."""

    title = Text(max_length=200, allow_blank=False, required=False)
    model = Text(max_length=255, allow_blank=True, required=False)
    system_prompt = Text(
        max_length=100_000, allow_blank=True, required=False, trim_whitespace=False, help_text="what every answer heeds"
    )
    params = ParamsField(required=False, help_text="OpenAI's: temperature, max_tokens, ...")
    message_count = serializers.SerializerMethodField(help_text="of all branches together")

    class Meta:
        model = Conversation
        fields: tuple[str, ...] = (
            "id",
            "title",
            "pinned",
            "archived",
            "model",
            "system_prompt",
            "params",
            "message_count",
            "created_at",
            "updated_at",
        )
        read_only_fields: tuple[str, ...] = ("id", "created_at", "updated_at")

    def get_message_count(self, conversation: Conversation) -> int:
        return int(getattr(conversation, "message_count", 0))


class DeletedSerializer(ConversationSerializer):
    """A conversation that can still be restored."""

    class Meta(ConversationSerializer.Meta):
        fields = (*ConversationSerializer.Meta.fields, "deleted_at")
        read_only_fields = ("deleted_at",)


class ExcerptSerializer(serializers.Serializer[dict[str, Any]]):
    """A piece of text; `hit` when it is what was looked for."""

    text = serializers.CharField()
    hit = serializers.BooleanField()


class MatchSerializer(serializers.Serializer[dict[str, Any]]):
    """A message with the words."""

    message_id = serializers.UUIDField()
    role = serializers.ChoiceField(choices=Message.Role.choices)
    excerpt = ExcerptSerializer(many=True)


class FoundSerializer(ConversationSerializer):
    """A conversation in a list; when something was searched, with the best messages that have it."""

    matches = serializers.SerializerMethodField(help_text="only in answers to a search")

    class Meta(ConversationSerializer.Meta):
        fields = (*ConversationSerializer.Meta.fields, "matches")

    @extend_schema_field(MatchSerializer(many=True, required=False))
    def get_matches(self, conversation: Conversation) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.context.get("matches", {}).get(conversation.pk, [])
        return found

    def to_representation(self, instance: Conversation) -> dict[str, Any]:
        data = super().to_representation(instance)
        if "matches" not in self.context:
            del data["matches"]
        return data


class ConversationDetailSerializer(ConversationSerializer):
    """A conversation with the messages of its current branch."""

    messages = serializers.SerializerMethodField()

    class Meta(ConversationSerializer.Meta):
        fields = (*ConversationSerializer.Meta.fields, "messages")

    @extend_schema_field(MessageSerializer(many=True))
    def get_messages(self, conversation: Conversation) -> Any:
        said, siblings = selectors.current_branch(conversation=conversation)
        return MessageSerializer(said, many=True, context={**self.context, "siblings": siblings}).data


class ImportedSerializer(serializers.Serializer[Any]):
    """A conversation that was imported."""

    id = serializers.UUIDField()
    title = serializers.CharField()


class ImportProblemSerializer(serializers.Serializer[Any]):
    """A conversation that could not be imported, and why."""

    title = serializers.CharField()
    detail = serializers.CharField()


class ImportSerializer(serializers.Serializer[Any]):
    """What became of an export; `skipped` are those that were imported before."""

    format = serializers.ChoiceField(choices=("chatgpt", "open-webui", "ai-chat-studio"))
    imported = serializers.IntegerField()
    skipped = serializers.IntegerField()
    conversations = ImportedSerializer(many=True)
    problems = ImportProblemSerializer(many=True)


class BranchSerializer(Strict):
    """Where to go on."""

    message_id = serializers.UUIDField(help_text="any message of the branch")
