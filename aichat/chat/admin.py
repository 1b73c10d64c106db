"""Conversations in the admin: whose, how many, how they ended, what they cost. What was said is the user's alone.

Operators may delete what they cannot read: for good, and at once.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from aichat.chat.models import Attachment, Conversation, Message
from plugins_app.admin.records import ReadOnlyAdmin

__all__ = ["AttachmentAdmin", "ConversationAdmin", "MessageInline"]


class _Unreadable(ReadOnlyAdmin):
    """Seen by operators, who may delete what they cannot read."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request)


class MessageInline(admin.TabularInline):
    """When which model answered, how that ended and what it cost."""

    model = Message
    fields = readonly_fields = (
        *("position", "role", "status", "model", "generation"),
        *("duration_ms", "first_token_ms", "cost", "created_at"),
    )
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("plugins_app.operate")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request)  # with the whole conversation


@admin.register(Conversation)
class ConversationAdmin(_Unreadable):
    """All users' conversations, for operators."""

    list_display = ("id", "user", "message_count", "cost", "created_at", "updated_at", "deleted_at")
    list_filter = ("archived", ("deleted_at", admin.EmptyFieldListFilter))
    search_fields = ("user__username",)
    date_hierarchy = "updated_at"
    list_select_related = ("user",)
    fields = readonly_fields = (
        *("id", "user", "model", "pinned", "archived", "cost"),
        *("created_at", "updated_at", "deleted_at"),
    )
    inlines = (MessageInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        costs = Message.objects.filter(conversation=OuterRef("pk")).order_by().values("conversation")
        return (
            super()
            .get_queryset(request)
            .annotate(
                messages_total=Count("messages"), cost_total=Subquery(costs.annotate(sum=Sum("cost")).values("sum"))
            )
        )

    @admin.display(description="messages", ordering="messages_total")
    def message_count(self, conversation: Any) -> int:
        return int(conversation.messages_total)

    @admin.display(description="cost in USD", ordering="cost_total")
    def cost(self, conversation: Any) -> str:
        return "" if conversation.cost_total is None else f"{conversation.cost_total:.4f}"


@admin.register(Attachment)
class AttachmentAdmin(_Unreadable):
    """All users' attachments: how many and how large, not what they are called or what is in them."""

    list_display = ("id", "user", "kind", "how_large", "created_at")
    list_filter = ("kind",)
    search_fields = ("user__username",)
    date_hierarchy = "created_at"
    list_select_related = ("user",)
    fields = readonly_fields = ("id", "user", "kind", "media_type", "how_large", "created_at")

    @admin.display(description="size", ordering="size")
    def how_large(self, attachment: Attachment) -> str:
        return filesizeformat(attachment.size)
