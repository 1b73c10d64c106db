"""Conversations in the admin: whose, how many, how they ended; what was said is nobody's but the user's."""

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
    """When which model answered, and how that ended."""

    model = Message
    fields = readonly_fields = ("position", "role", "status", "model", "generation", "duration_ms", "created_at")
    extra = 0
    can_delete = False
    show_change_link = False


@admin.register(Conversation)
class ConversationAdmin(_ReadOnly, admin.ModelAdmin):
    """All users' conversations, for those who may see them."""

    list_display = ("id", "user", "message_count", "created_at", "updated_at")
    search_fields = ("user__username",)
    date_hierarchy = "updated_at"
    list_select_related = ("user",)
    fields = readonly_fields = ("id", "user", "created_at", "updated_at")
    inlines = (MessageInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).annotate(messages_total=Count("messages"))

    @admin.display(description="messages", ordering="messages_total")
    def message_count(self, conversation: Any) -> int:
        return int(conversation.messages_total)
