"""What happened and what there is: to be read, never to be written by hand."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from plugins_app.models import (
    Execution,
    LifecycleEvent,
    NodeStatus,
    PluginEnvironment,
    PluginRelease,
    PluginVersion,
)
from plugins_app.selectors.nodes import node_card
from plugins_app.services import secrets

from .showing import badge, error_box, megabytes, moment, progress, table

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

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        changelist.title = capfirst(str(self.opts.verbose_name_plural))
        for spec in changelist.filter_specs:
            spec.template = "admin/plugins_app/filter.html"  # above the list: beside it, Django's clip the columns
        return changelist

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
        return badge(row.status)

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
    list_display = ("id", "moment", "event", "plugin_id", "node", "summary")
    list_filter = ("event", "plugin_id", "node")
    fields = ("id", "moment", "event", "plugin_id", "node", "facts")

    @admin.display(description="at", ordering="at")
    def moment(self, row: LifecycleEvent) -> SafeString | str:
        return moment(row.at)

    @admin.display
    def summary(self, row: LifecycleEvent) -> SafeString:
        words = (f"{key} {_short(key, value)}" for key, value in row.data.items() if value not in (None, "", [], {}))
        return format_html('<span class="plugin-summary">{}</span>', ", ".join(words)[:200])

    @admin.display(description="data")
    def facts(self, row: LifecycleEvent) -> SafeString:
        return _pretty(row.data)


def _short(key: str, value: Any) -> str:
    """A value in a list: a digest by its beginning, an error by its code, names in a row."""
    if isinstance(value, dict):
        return str(value.get("code") or ", ".join(value))[:60]
    if isinstance(value, list):
        return " ".join(str(each) for each in value)[:60]
    return str(value)[: 10 if "digest" in key else 60]


@admin.register(PluginRelease)
class PluginReleaseAdmin(ReadOnlyAdmin):
    list_display = ("plugin", "number", "version_text", "asked", "moment", "outcome")
    list_filter = ("plugin", "cause")
    ordering = ("-created_at", "-id")
    list_select_related = ("plugin", "version", "created_by")
    fields = (
        *("plugin", "generation", "version", "cause", "created_by", "moment", "outcome", "trouble"),
        *("explained", "granted", "configuration"),
    )

    @admin.display(description="generation", ordering="generation")
    def number(self, row: PluginRelease) -> str:
        return f"#{row.generation}"

    @admin.display(description="version")
    def version_text(self, row: PluginRelease) -> SafeString:
        version = row.version
        return format_html(
            '{} <small class="plugin-id">{}</small>', version.metadata.get("version", "?"), version.digest[:10]
        )

    @admin.display(description="asked for")
    def asked(self, row: PluginRelease) -> str:
        return f"{row.cause} by {row.created_by.get_username() if row.created_by else 'the studio'}"

    @admin.display(description="at", ordering="created_at")
    def moment(self, row: PluginRelease) -> SafeString | str:
        return moment(row.created_at)

    @admin.display(description="what became of it")
    def outcome(self, row: PluginRelease) -> SafeString | str:
        if row.failure:
            return badge("failed")
        return format_html("proven {}", moment(row.committed_at)) if row.committed_at else "–"

    @admin.display(description="why it was taken back")
    def trouble(self, row: PluginRelease) -> SafeString | str:
        return error_box({"title": "It did not stay", "detail": "", "code": "", **row.failure}) if row.failure else "–"

    @admin.display(description="who asked for what")
    def explained(self, row: PluginRelease) -> SafeString | str:
        asks = (
            (each["id"], each["range"] or "any", each["by"] or "the operator", each["chosen"] or "–")
            for each in row.explanation
        )
        return table(("plugin", "range", "asked for by", "chosen"), asks) if row.explanation else "–"

    @admin.display
    def configuration(self, row: PluginRelease) -> SafeString:
        return _pretty(row.config)


@admin.register(PluginVersion)
class PluginVersionAdmin(ReadOnlyAdmin):
    list_display = ("plugin", "version_text", "short_digest", "source", "megabytes", "found")
    list_filter = ("plugin", "source")
    list_select_related = ("plugin",)
    fields = ("plugin", "digest", "source", "megabytes", "found", "facts", "defaults")

    @admin.display(description="digest")
    def short_digest(self, row: PluginVersion) -> SafeString:
        return format_html("<code>{}</code>", row.digest[:12])

    @admin.display(description="size")
    def megabytes(self, row: PluginVersion) -> str:
        return megabytes(row.size_bytes)

    @admin.display(description="found", ordering="created_at")
    def found(self, row: PluginVersion) -> SafeString | str:
        return moment(row.created_at)

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
    list_display = ("node", "status", "plugins", "pid", "started", "heartbeat")
    fields = ("node", "status", "plugins", "pid", "started", "heartbeat", "expires", "protections")

    @admin.display(description="state")
    def status(self, row: NodeStatus) -> SafeString:
        return badge(self._card(row)["state"])

    @admin.display(description="plugins")
    def plugins(self, row: NodeStatus) -> str:
        return ", ".join(f"{count} {state}" for state, count in self._card(row)["plugins"].items()) or "none"

    @admin.display(description="started", ordering="started_at")
    def started(self, row: NodeStatus) -> SafeString | str:
        return moment(row.started_at)

    @admin.display(description="last heartbeat", ordering="heartbeat_at")
    def heartbeat(self, row: NodeStatus) -> SafeString | str:
        return moment(row.heartbeat_at)

    @admin.display(description="forgotten")
    def expires(self, row: NodeStatus) -> SafeString | str:
        at = self._card(row)["expires_at"]
        return format_html("{}, unless it comes back", moment(at)) if at else "never, while it reports"

    def _card(self, row: NodeStatus) -> dict[str, Any]:
        return node_card(row.node)

    @admin.display(description="sandbox")
    def protections(self, row: NodeStatus) -> SafeString:
        return _pretty(row.sandbox)


@admin.register(PluginEnvironment)
class PluginEnvironmentAdmin(ReadOnlyAdmin):
    list_display = ("short_key", "node", "badge", "progress", "megabytes", "changed")
    list_filter = ("status", "node")
    fields = ("key", "node", "badge", "progress", "error", "megabytes", "wanted", "created_at", "changed")

    @admin.display(description="key")
    def short_key(self, row: PluginEnvironment) -> str:
        return row.key[:12]

    @admin.display(description="size")
    def megabytes(self, row: PluginEnvironment) -> str:
        return megabytes(row.size_bytes)

    @admin.display(description="status", ordering="status")
    def badge(self, row: PluginEnvironment) -> SafeString:
        return badge(row.status)

    @admin.display(description="progress")
    def progress(self, row: PluginEnvironment) -> SafeString | str:
        return progress(row.fraction, row.message) if row.status in ("pending", "installing") else row.message

    @admin.display(description="changed", ordering="updated_at")
    def changed(self, row: PluginEnvironment) -> SafeString | str:
        return moment(row.updated_at)

    @admin.display(description="requirements")
    def wanted(self, row: PluginEnvironment) -> SafeString:
        return _pretty(row.requirements)
