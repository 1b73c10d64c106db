"""What happened and what there is: to be read, never to be written by hand."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from plugins_app.models import (
    Execution,
    LifecycleEvent,
    NodeStatus,
    PluginEnvironment,
    PluginRelease,
    PluginVersion,
)
from plugins_app.services import secrets

__all__ = [
    "ExecutionAdmin",
    "LifecycleEventAdmin",
    "NodeStatusAdmin",
    "PluginEnvironmentAdmin",
    "PluginReleaseAdmin",
    "PluginVersionAdmin",
]


def _pretty(value: Any) -> SafeString:
    """JSON for people; secrets are masked."""
    return format_html(
        "<pre class='plugin-json'>{}</pre>", json.dumps(secrets.mask(value), indent=2, ensure_ascii=False)
    )


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shown to operators, changed by nobody."""

    class Media:
        css: ClassVar = {"all": ("plugins_app/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("plugins_app.operate")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    list_display = ("id", "plugin", "method", "badge", "user", "created_at", "finished_at")
    list_filter = ("status", "plugin")
    date_hierarchy = "created_at"
    list_select_related = ("plugin", "user")
    fields = (
        *("plugin", "method", "badge", "user", "generation", "created_at", "started_at", "finished_at"),
        *("message", "arguments", "outcome", "problem"),
    )

    @admin.display(description="status", ordering="status")
    def badge(self, row: Execution) -> SafeString:
        return format_html('<span class="plugin-state plugin-state-{}">{}</span>', row.status, row.status)

    @admin.display
    def arguments(self, row: Execution) -> SafeString:
        return _pretty({"args": row.args, "kwargs": row.kwargs})

    @admin.display(description="result")
    def outcome(self, row: Execution) -> SafeString:
        return _pretty(row.result)

    @admin.display(description="error")
    def problem(self, row: Execution) -> SafeString | str:
        return _pretty(row.error) if row.error else "none"


@admin.register(LifecycleEvent)
class LifecycleEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "at", "event", "plugin_id", "node", "summary")
    list_filter = ("event", "plugin_id", "node")
    fields = ("id", "at", "event", "plugin_id", "node", "facts")

    @admin.display
    def summary(self, row: LifecycleEvent) -> str:
        return ", ".join(f"{key} {str(value)[:40]}" for key, value in row.data.items() if value is not None)[:160]

    @admin.display(description="data")
    def facts(self, row: LifecycleEvent) -> SafeString:
        return _pretty(row.data)


@admin.register(PluginRelease)
class PluginReleaseAdmin(ReadOnlyAdmin):
    list_display = ("plugin", "generation", "version", "cause", "created_by", "created_at")
    list_filter = ("plugin", "cause")
    list_select_related = ("plugin", "version", "created_by")
    fields = ("plugin", "generation", "version", "cause", "created_by", "created_at", "granted", "configuration")

    @admin.display
    def configuration(self, row: PluginRelease) -> SafeString:
        return _pretty(row.config)


@admin.register(PluginVersion)
class PluginVersionAdmin(ReadOnlyAdmin):
    list_display = ("plugin", "version_text", "digest", "created_at")
    list_filter = ("plugin",)
    list_select_related = ("plugin",)
    fields = ("plugin", "digest", "created_at", "facts", "defaults")

    @admin.display(description="version")
    def version_text(self, row: PluginVersion) -> str:
        return str(row.metadata.get("version", "?"))

    @admin.display(description="metadata")
    def facts(self, row: PluginVersion) -> SafeString:
        return _pretty(row.metadata)

    @admin.display(description="config.json")
    def defaults(self, row: PluginVersion) -> SafeString:
        return _pretty(row.default_config)


@admin.register(NodeStatus)
class NodeStatusAdmin(ReadOnlyAdmin):
    list_display = ("node", "pid", "started_at", "heartbeat_at")
    fields = ("node", "pid", "started_at", "heartbeat_at", "protections")

    @admin.display(description="sandbox")
    def protections(self, row: NodeStatus) -> SafeString:
        return _pretty(row.sandbox)


@admin.register(PluginEnvironment)
class PluginEnvironmentAdmin(ReadOnlyAdmin):
    list_display = ("short_key", "status", "message", "megabytes", "updated_at")
    list_filter = ("status",)
    fields = ("key", "status", "fraction", "message", "error", "megabytes", "wanted", "created_at", "updated_at")

    @admin.display(description="key")
    def short_key(self, row: PluginEnvironment) -> str:
        return row.key[:12]

    @admin.display(description="size")
    def megabytes(self, row: PluginEnvironment) -> str:
        return f"{row.size_bytes / 2**20:.1f} MB" if row.size_bytes is not None else "–"

    @admin.display(description="requirements")
    def wanted(self, row: PluginEnvironment) -> SafeString:
        return _pretty(row.requirements)
