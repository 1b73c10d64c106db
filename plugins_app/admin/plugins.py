"""Plugins in the admin: how they are, what they may, how they are configured."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.csrf import csrf_protect

from plugins_app.models import Plugin
from plugins_app.selectors.plugins import Catalogue, plugin_rows
from plugins_app.services import configuration
from plugins_app.services import plugins as service
from plugins_app.services.discovery import plugins_discover
from plugins_app.services.errors import StudioError

from .forms import PluginForm

__all__ = ["PluginAdmin"]

_OPERATE = "plugins_app.operate"
_DONE = {"load": "is loaded", "unload": "is unloaded", "reload": "was reloaded"}


@admin.register(Plugin)
class PluginAdmin(admin.ModelAdmin):
    """No row is written here: load, unload, reload, configure and grant are services."""

    form = PluginForm
    list_display = ("title", "state", "kind", "version_text", "nodes", "calls", "trouble")
    list_display_links = ("title",)
    search_fields = ("id",)
    actions = ("load_selected", "unload_selected", "reload_selected")
    readonly_fields = ("state", "about", "error", "permissions", "where")
    ordering = ("id",)

    class Media:
        css: ClassVar = {"all": ("plugins_app/admin.css",)}

    # what is shown

    @admin.display(description="plugin", ordering="id")
    def title(self, plugin: Any) -> SafeString:
        return format_html('<strong>{}</strong><small class="plugin-id">{}</small>', plugin.card["name"], plugin.id)

    @admin.display(description="state")
    def state(self, plugin: Any) -> SafeString:
        return _badge(plugin.card["state"])

    @admin.display(description="type")
    def kind(self, plugin: Any) -> str:
        return plugin.card["type"] or "–"

    @admin.display(description="version")
    def version_text(self, plugin: Any) -> SafeString:
        digest = (plugin.card["digest"] or "")[:10]
        return format_html('{} <small class="plugin-id">{}</small>', plugin.card["version"] or "–", digest)

    @admin.display(description="nodes")
    def nodes(self, plugin: Any) -> SafeString | str:
        shown = ((node["node"], node["generation"] or "–") for node in plugin.card["nodes"])
        return format_html_join(", ", "{} <small>#{}</small>", shown) or "–"

    @admin.display(description="calls")
    def calls(self, plugin: Any) -> str:
        usage = plugin.card["usage"]
        return f"{usage['calls']} ({usage['errors']} failed)" if usage["errors"] else str(usage["calls"])

    @admin.display(description="last error")
    def trouble(self, plugin: Any) -> SafeString | str:
        error = plugin.card["last_error"]
        if not error:
            return "–"
        return format_html('<span class="plugin-trouble" title="{}">{}</span>', error["detail"], error["title"])

    @admin.display(description="about")
    def about(self, plugin: Any) -> SafeString:
        card = plugin.card
        facts = " · ".join(
            str(fact) for fact in (card["type"], card["version"], card["author"], card["license"]) if fact
        )
        return format_html("{}<br><small>{}</small>", card["description"] or "–", facts)

    @admin.display(description="last error")
    def error(self, plugin: Any) -> SafeString | str:
        error = plugin.card["last_error"]
        if not error:
            return "none"
        traceback = error.get("traceback")
        details = format_html("<details><summary>Traceback</summary><pre>{}</pre></details>", traceback)
        return format_html(
            '<div class="plugin-error"><strong>{}</strong> <code>{}</code><p>{}</p>{}{}</div>',
            error["title"],
            error["code"],
            error["detail"],
            format_html("<p><em>{}</em></p>", error["hint"]) if error["hint"] else "",
            details if traceback else "",
        )

    @admin.display(description="permissions")
    def permissions(self, plugin: Any) -> str:
        return "It asks for nothing."

    @admin.display(description="serving")
    def where(self, plugin: Any) -> SafeString | str:
        rows = (
            (node["node"], _badge(node["state"]), node["generation"] or "–", node["pid"] or "–", node["restarts"])
            for node in plugin.card["nodes"]
        )
        body = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
        head = "<tr><th>node</th><th>state</th><th>generation</th><th>process</th><th>restarts</th></tr>"
        return format_html('<table class="plugin-nodes">{}{}</table>', mark_safe(head), body) if body else "nowhere"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        form = PluginForm(instance=obj) if obj else None
        sections: list[Any] = [(None, {"fields": ("state", "about", "error", "where")})]
        if form and "config" in form.fields:
            sections.append(("Configuration", {"fields": ("config",), "classes": ("plugin-config",)}))
        permissions = ("granted",) if form and "granted" in form.fields else ("permissions",)
        return [*sections, ("Permissions", {"fields": permissions})]

    # where it comes from

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plugin]:
        return plugin_rows().exclude(missing=True, desired=None, waiting=None)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        plugins_discover()
        changelist = super().get_changelist_instance(request)
        catalogue = Catalogue()
        for plugin in changelist.result_list:
            plugin.card = catalogue.card(catalogue.plugins[plugin.id], operator=True)
        return changelist

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        plugins_discover()
        catalogue = Catalogue()
        plugin: Any = next((plugin for plugin in catalogue.found if plugin.id == object_id), None)
        if plugin is not None:
            plugin.card = catalogue.card(plugin, operator=True)
        return plugin

    # who may

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(_OPERATE)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request) or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    # what it does

    @admin.action(description="Load", permissions=["change"])
    def load_selected(self, request: HttpRequest, queryset: QuerySet[Plugin]) -> None:
        self._each(request, queryset, "load")

    @admin.action(description="Unload", permissions=["change"])
    def unload_selected(self, request: HttpRequest, queryset: QuerySet[Plugin]) -> None:
        self._each(request, queryset, "unload")

    @admin.action(description="Reload", permissions=["change"])
    def reload_selected(self, request: HttpRequest, queryset: QuerySet[Plugin]) -> None:
        self._each(request, queryset, "reload")

    def _each(self, request: HttpRequest, queryset: QuerySet[Plugin], verb: str) -> None:
        for plugin_id in queryset.values_list("id", flat=True):
            self._do(request, plugin_id, verb)

    def _do(self, request: HttpRequest, plugin_id: str, verb: str) -> None:
        """Load, unload or reload one plugin, and say in words what became of it."""
        changes: dict[str, Any] = {
            "load": service.plugin_load,
            "unload": service.plugin_unload,
            "reload": service.plugin_reload,
        }
        self._tell(request, plugin_id, _DONE[verb], lambda: changes[verb](plugin_id=plugin_id, user=request.user))

    def _tell(self, request: HttpRequest, plugin_id: str, done: str, change: Any) -> None:
        try:
            result = change()
        except StudioError as error:
            words = f"“{plugin_id}”: {error.title}. {error.detail} {error.hint}".strip()
            messages.error(request, words)
            return
        if result.settled:
            messages.success(request, f"“{plugin_id}” {done}.")
        else:
            messages.warning(request, f"“{plugin_id}”: the change is under way; its state tells when it is done.")

    @method_decorator(csrf_protect)
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse | TemplateResponse:
        # Not Django's own, which wraps everything in a transaction: a change must be committed to be carried out.
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Grant, then configure; each is its own change with its own outcome."""
        if "granted" in form.changed_data:
            service.plugin_permissions_grant(plugin_id=obj.id, granted=form.cleaned_data["granted"], user=request.user)
        config = form.cleaned_data.get("config", form.before)
        if config != form.before:  # not `changed_data`: the page sends empty fields along that were never set
            self._tell(
                request,
                obj.id,
                "is configured",
                lambda: configuration.plugin_config_set(plugin_id=obj.id, config=config, user=request.user),
            )

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        for verb in _DONE:
            if f"_{verb}" in request.POST:
                self._do(request, obj.pk, verb)
        return HttpResponseRedirect(request.path)


def _badge(state: str) -> SafeString:
    return format_html('<span class="plugin-state plugin-state-{}">{}</span>', state, state)
