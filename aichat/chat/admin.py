"""Conversations in the admin: to be found and deleted, never to be rewritten, their content not shown in lists."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from aichat.chat.models import Conversation, Message

__all__ = ["ConversationAdmin", "MessageInline"]


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MessageInline(_ReadOnly, admin.TabularInline):
    """What was said."""

    model = Message
    fields = readonly_fields = ("position", "role", "status", "model", "generation", "content", "created_at")
    extra = 0
    can_delete = False


@admin.register(Conversation)
class ConversationAdmin(_ReadOnly, admin.ModelAdmin):
    """All users' conversations, for those who may see them."""

    list_display = ("title", "user", "message_count", "created_at", "updated_at")
    search_fields = ("title", "user__username")
    date_hierarchy = "updated_at"
    list_select_related = ("user",)
    readonly_fields = ("user", "title", "created_at", "updated_at")
    inlines = (MessageInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).annotate(messages_total=Count("messages"))

    @admin.display(description="messages", ordering="messages_total")
    def message_count(self, conversation: Any) -> int:
        return int(conversation.messages_total)
