"""API keys in the admin: made here, shown once, revoked here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from plugins_app.models import ApiKey
from plugins_app.services.access import api_key_create, api_key_revoke

__all__ = ["ApiKeyAdmin"]


class _KeyForm(forms.ModelForm):
    class Meta:
        model = ApiKey
        fields = ("name", "role")


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """A key's text is shown in one message after it was made, and can never be seen again."""

    form = _KeyForm
    list_display = ("name", "role", "shown_prefix", "created_at", "last_used_at", "revoked_at")
    list_filter = ("role",)
    actions = ("revoke",)

    @admin.display(description="begins with")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"acs_{key.prefix}_…"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        key, text = api_key_create(name=obj.name, role=obj.role)
        obj.pk, obj.user_id, obj.prefix, obj.digest = key.pk, key.user_id, key.prefix, key.digest
        messages.warning(request, f"The key of {obj.name}, shown this once: {text}")

    @admin.action(description="Revoke", permissions=["add"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            api_key_revoke(key=key)
            messages.success(request, f"{key.name} is revoked.")
