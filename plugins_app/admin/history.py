"""The configurations of the past in the admin: looked at, compared, brought back."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path

from plugins_app.models import Plugin
from plugins_app.selectors.revisions import revision_comparison, revision_facts, revision_rows
from plugins_app.services.configuration import plugin_config_rollback
from plugins_app.services.errors import StudioError

from .pages import Pages
from .verbs import tell, told

__all__ = ["HistoryPages"]

_SHOWN = 100


class HistoryPages(Pages):
    """One page: every configuration that was stored, the differences of two, and a button to bring one back."""

    def history_urls(self) -> list[URLPattern]:
        """The page; the site asks who one is before it."""
        view = self.admin_site.admin_view(self.configurations_view)
        return [path("<path:plugin_id>/configurations/", view, name="plugins_app_plugin_configurations")]

    def configurations_view(self, request: HttpRequest, plugin_id: str) -> HttpResponse:
        """Show them; a POST brings one back."""
        plugin = self.operated(request, plugin_id)
        if request.method == "POST":
            change = partial(plugin_config_rollback, plugin_id=plugin.id, number=_number(request.POST.get("number")))
            tell(request, plugin.id, "has its earlier configuration back", partial(change, user=request.user))
            return HttpResponseRedirect(request.path)
        rows = [revision_facts(row, whole=True) for row in revision_rows(plugin)[:_SHOWN]]
        for row in rows:
            row["config"] = json.dumps(row["config"], indent=2, ensure_ascii=False)
        return self.page(
            request,
            "configurations",
            f"{plugin.card['name']}: configurations",
            original=plugin,
            here="Configurations",
            revisions=rows,
            comparison=_comparison(request, plugin),
        )


def _comparison(request: HttpRequest, plugin: Plugin) -> dict[str, Any] | None:
    """What differs between the two that were chosen, the older one first."""
    chosen = sorted(_number(request.GET[name]) for name in ("from", "to") if request.GET.get(name))
    if len(chosen) < 2:
        return None
    try:
        return revision_comparison(plugin, *chosen)
    except StudioError as error:
        told(request, plugin.id, error)
        return None


def _number(text: str | None) -> int:
    if not (text and text.isdecimal() and len(text) < 10):
        raise Http404("There is no such revision.")
    return int(text)
