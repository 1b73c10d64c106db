"""Loading, unloading, reloading and cancelling from the admin; what came of it is told in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from plugins_app.models import Plugin
from plugins_app.services import plugins as service
from plugins_app.services.cancelling import plugin_cancel
from plugins_app.services.errors import StudioError
from plugins_app.services.planning import plugin_plan
from plugins_app.services.versions import plugin_rollback

from .pages import Pages

__all__ = ["Verbs", "back_to", "dependents", "tell", "told"]

_CHANGES: dict[str, Any] = {
    "load": service.plugin_load,
    "reload": service.plugin_reload,
    "rollback": plugin_rollback,
}
_DONE = {"load": "is loaded", "unload": "is unloaded", "reload": "was reloaded", "rollback": "was rolled back"}


def tell(request: HttpRequest, plugin_id: str, done: str, change: Callable[[], Any]) -> bool:
    """Make a change and say what became of it; whether it was not refused."""
    try:
        result = change()
    except StudioError as error:
        told(request, plugin_id, error)
        return False
    if result is None or result.settled:
        also = [
            row["id"] for row in getattr(result, "changes", ()) if row["id"] != plugin_id and row["action"] != "keep"
        ]
        along = f" Taken along: {', '.join(also)}." if also else ""
        messages.success(request, f"“{plugin_id}” {done}.{along}")
    else:
        messages.warning(request, f"“{plugin_id}”: the change is under way; its state tells when it is done.")
    return True


def told(request: HttpRequest, plugin_id: str, error: StudioError) -> None:
    """Say why something was refused."""
    title = "" if error.detail.startswith(error.title) else f"{error.title}. "
    messages.error(request, f"“{plugin_id}”: {title}{error.detail} {error.hint}".strip())


def back_to(plugin_id: str) -> HttpResponseRedirect:
    """To the plugin's page."""
    return HttpResponseRedirect(reverse("admin:plugins_app_plugin_change", args=[plugin_id]))


class Verbs(Pages):
    """The actions of the list and the buttons of a plugin's page. Unloading what others need is asked about first."""

    def verb_urls(self) -> list[URLPattern]:
        """The page that asks before others are unloaded too."""
        view = self.admin_site.admin_view(self.unload_view)
        return [path("<path:plugin_id>/unload/", view, name="plugins_app_plugin_unload")]

    @admin.action(description="Load", permissions=["change"])
    def load_selected(self, request: HttpRequest, queryset: QuerySet[Plugin]) -> None:
        self._each(request, queryset, "load")

    @admin.action(description="Unload", permissions=["change"])
    def unload_selected(self, request: HttpRequest, queryset: QuerySet[Plugin]) -> HttpResponse | None:
        ids = list(queryset.values_list("id", flat=True))
        if request.POST.get("sure") != "yes" and (along := dependents(ids)):
            return self._ask(request, ids, along, action="unload_selected")
        self._unload(request, ids)
        return None

    @admin.action(description="Reload", permissions=["change"])
    def reload_selected(self, request: HttpRequest, queryset: QuerySet[Plugin]) -> None:
        self._each(request, queryset, "reload")

    @admin.action(description="Roll back", permissions=["change"])
    def rollback_selected(self, request: HttpRequest, queryset: QuerySet[Plugin]) -> None:
        self._each(request, queryset, "rollback")

    def _each(self, request: HttpRequest, queryset: QuerySet[Plugin], verb: str) -> None:
        for plugin_id in queryset.values_list("id", flat=True):
            self.carry_out(request, plugin_id, verb)

    def carry_out(self, request: HttpRequest, plugin_id: str, verb: str) -> None:
        """Load, reload or roll back one plugin."""
        change = partial(_CHANGES[verb], plugin_id=plugin_id, user=request.user)
        tell(request, plugin_id, _DONE[verb], change)

    def unload_view(self, request: HttpRequest, plugin_id: str) -> HttpResponse:
        """Ask before one plugin is unloaded; a POST does it."""
        self.operated(request, plugin_id)
        if request.method != "POST":
            return self._ask(request, [plugin_id], dependents([plugin_id]))
        self._unload(request, [plugin_id])
        return back_to(plugin_id)

    def unload_or_ask(self, request: HttpRequest, plugin_id: str) -> HttpResponse:
        """Unload one plugin; when others would go along, the page that asks comes first."""
        if dependents([plugin_id]):
            return HttpResponseRedirect(reverse("admin:plugins_app_plugin_unload", args=[plugin_id]))
        self._unload(request, [plugin_id])
        return back_to(plugin_id)

    def _ask(
        self, request: HttpRequest, ids: list[str], along: dict[str, list[str]], action: str = ""
    ) -> TemplateResponse:
        title = "Unload what others need?" if along else f"Unload {', '.join(ids)}?"
        return self.page(request, "confirm_unload", title, ids=ids, along=along, action=action, here="Unload")

    def _unload(self, request: HttpRequest, ids: list[str]) -> None:
        done: set[str] = set()
        for plugin_id in ids:
            if plugin_id not in done:  # it may have gone along with an earlier one
                tell(request, plugin_id, _DONE["unload"], partial(_unloaded, plugin_id, request, done))

    def cancel(self, request: HttpRequest, plugin_id: str) -> None:
        """Cancel the installation of packages that a change waits for."""
        tell(request, plugin_id, "waits for packages no more", partial(plugin_cancel, plugin_id=plugin_id))


def _unloaded(plugin_id: str, request: HttpRequest, done: set[str]) -> Any:
    result = service.plugin_unload(plugin_id=plugin_id, cascade=True, user=request.user)
    done.update(row["id"] for row in result.changes)
    return result


def dependents(ids: list[str]) -> dict[str, list[str]]:
    """For each plugin: the loaded ones that it would take along and that were not chosen themselves, in order."""
    found = {}
    for plugin_id in ids:
        plan = plugin_plan(plugin_id=plugin_id, action="unload", cascade=True)
        along = [row["id"] for row in plan["changes"] if row["id"] not in ids]
        if along:
            found[plugin_id] = along
    return found
