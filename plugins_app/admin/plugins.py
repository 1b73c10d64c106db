"""Plugins in the admin: how they are, what they may, how they are configured."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_protect

from plugins_app.models import Plugin
from plugins_app.selectors.plugins import Catalogue, plugin_rows
from plugins_app.services import configuration
from plugins_app.services import plugins as service
from plugins_app.services.discovery import plugins_discover

from .forms import PluginForm
from .history import HistoryPages
from .packages import PackagePages
from .showing import badge, error_box, table, text_lines, under_way
from .verbs import Verbs, tell

__all__ = ["PluginAdmin"]

_OPERATE = "plugins_app.operate"


@admin.register(Plugin)
class PluginAdmin(Verbs, PackagePages, HistoryPages, admin.ModelAdmin):
    """No row is written here: load, unload, reload, configure and grant are services."""

    form = PluginForm
    list_display = ("title", "state", "kind", "version_text", "nodes", "calls", "trouble")
    list_display_links = ("title",)
    search_fields = ("id",)
    actions = ("load_selected", "unload_selected", "reload_selected", "rollback_selected")
    readonly_fields = ("state", "about", "now", "error", "permissions", "where", "needs", "needed_by")
    ordering = ("id",)

    class Media:
        css: ClassVar = {"all": ("plugins_app/admin.css",)}
        js: ClassVar = ("plugins_app/admin.js",)

    # the list

    @admin.display(description="plugin", ordering="id")
    def title(self, plugin: Any) -> SafeString:
        return format_html('<strong>{}</strong><small class="plugin-id">{}</small>', plugin.card["name"], plugin.id)

    @admin.display(description="state")
    def state(self, plugin: Any) -> SafeString:
        return badge(plugin.card["state"])

    @admin.display(description="type")
    def kind(self, plugin: Any) -> str:
        return plugin.card["type"] or "–"

    @admin.display(description="version")
    def version_text(self, plugin: Any) -> SafeString:
        digest = (plugin.card["digest"] or "")[:10]
        return format_html('{} <small class="plugin-id">{}</small>', plugin.card["version"] or "–", digest)

    @admin.display(description="nodes")
    def nodes(self, plugin: Any) -> SafeString | str:
        shown = ((_node_name(node), f"#{node['generation']}") for node in plugin.card["nodes"] if node["generation"])
        return format_html_join(", ", "{} <small>{}</small>", shown) or "–"

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

    # the page of one

    @admin.display(description="about")
    def about(self, plugin: Any) -> SafeString:
        card = plugin.card
        facts = (card["id"], card["type"], card["version"], card["author"], card["license"])
        words = " · ".join(str(fact) for fact in facts if fact)
        return format_html("{}<br><small>{}</small>", card["description"] or "–", words)

    @admin.display(description="now")
    def now(self, plugin: Any) -> SafeString | str:
        return under_way(plugin.card)

    @admin.display(description="last error")
    def error(self, plugin: Any) -> SafeString | str:
        return error_box(plugin.card["last_error"])

    @admin.display(description="permissions")
    def permissions(self, plugin: Any) -> str:
        return "It asks for nothing."

    @admin.display(description="serving")
    def where(self, plugin: Any) -> SafeString | str:
        nodes = plugin.card["nodes"]
        rows = (
            (
                _node_name(node),
                text_lines([badge(node["state"]), node["message"]] if node["message"] else [badge(node["state"])]),
                node["generation"] or "–",
                node["pid"] or "–",
                node["restarts"],
            )
            for node in nodes
        )
        return table(("node", "state", "generation", "process", "restarts"), rows) if nodes else "nowhere"

    @admin.display(description="depends on")
    def needs(self, plugin: Any) -> SafeString:
        rows = (
            (
                need["id"],
                f"{need['range'] or 'any'}{' (optional)' if need['optional'] else ''}",
                need["version"] or "–",
                badge("fits" if need["satisfied"] else ("left out" if need["optional"] else "missing")),
            )
            for need in plugin.card["dependencies"]
        )
        return table(("plugin", "range", "version", ""), rows)

    @admin.display(description="needed by")
    def needed_by(self, plugin: Any) -> SafeString:
        rows = ((each["id"], each["version"], each["range"] or "any") for each in plugin.card["required_by"])
        return table(("plugin", "version", "asks for"), rows)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        card = obj.card if obj else {}
        form = PluginForm(instance=obj) if obj else None
        shown = {
            "now": under_way(card) if card else "",
            "error": card.get("last_error"),
            "needs": card.get("dependencies"),
            "needed_by": card.get("required_by"),
        }
        facts = [
            name for name in ("state", "now", "about", "error", "where", "needs", "needed_by") if shown.get(name, 1)
        ]
        sections: list[Any] = [(None, {"fields": facts})]
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
        changelist.title = "Plugins"
        return changelist

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        plugins_discover()
        catalogue = Catalogue()
        plugin: Any = next((plugin for plugin in catalogue.found if plugin.id == object_id), None)
        if plugin is not None:
            plugin.card = catalogue.card(plugin, operator=True)
        return plugin

    def get_urls(self) -> Any:
        return [*self.package_urls(), *self.history_urls(), *self.verb_urls(), *super().get_urls()]

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

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        may_change = self.has_change_permission(request)
        return super().changelist_view(request, {**(extra_context or {}), "may_change": may_change})

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

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        fields = context["adminform"].form.fields
        name = context["original"].card["name"] if context.get("original") else None
        context |= {
            "may_change": self.has_change_permission(request),
            "has_settings": bool({"config", "granted"} & set(fields)),
            "title": name or context["title"],
            "subtitle": None,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Grant, then configure; each is its own change with its own outcome."""
        if "granted" in form.changed_data:
            service.plugin_permissions_grant(plugin_id=obj.id, granted=form.cleaned_data["granted"], user=request.user)
        config = form.cleaned_data.get("config", form.before)
        if config != form.before:  # not `changed_data`: the page sends empty fields along that were never set
            tell(
                request,
                obj.id,
                "is configured",
                lambda: configuration.plugin_config_set(plugin_id=obj.id, config=config, user=request.user),
            )

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        for verb in ("load", "reload", "rollback"):
            if f"_{verb}" in request.POST:
                self.carry_out(request, obj.pk, verb)
        if "_cancel" in request.POST:
            self.cancel(request, obj.pk)
        if "_unload" in request.POST:
            return self.unload_or_ask(request, obj.pk)
        return HttpResponseRedirect(request.path)


def _node_name(node: dict[str, Any]) -> SafeString | str:
    return format_html("{} {}", node["node"], badge("away")) if node["away"] else node["node"]
