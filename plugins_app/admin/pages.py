"""What the admin's pages of our own share: who may see them, and what is around them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse

from plugins_app.models import Plugin

__all__ = ["Pages"]


class Pages:
    """For a mixin of the plugins' admin that has pages besides the list and the form."""

    admin_site: Any

    def page(self, request: HttpRequest, name: str, title: str, **context: Any) -> TemplateResponse:
        """One of our own pages, within the admin's frame."""
        everything = {
            **self.admin_site.each_context(request),
            "opts": Plugin._meta,
            "title": title,
            "media": self.media,  # type: ignore[attr-defined]
            **context,
        }
        return TemplateResponse(request, f"admin/plugins_app/plugin/{name}.html", everything)

    def operated(self, request: HttpRequest, plugin_id: str) -> Any:
        """The plugin, for an operator; anybody else is turned away."""
        self.require_operator(request)
        plugin = self.get_object(request, plugin_id)  # type: ignore[attr-defined]
        if plugin is None:
            raise Http404(f"There is no plugin {plugin_id}.")
        return plugin

    def require_operator(self, request: HttpRequest) -> None:
        """Turn anybody else away."""
        if not self.has_change_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
