"""What all parts of `/api/plugins` share: reading the body, and showing the plugin after a change."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from plugins_app.selectors.plugins import Catalogue
from plugins_app.services.calls import why_not_loaded
from plugins_app.services.changes import Result

from .base import StudioViewSet
from .serializers import PluginSerializer

__all__ = ["PluginCards"]


class PluginCards(StudioViewSet):
    """A viewset that answers with plugins."""

    def parsed(self, serializer_class: type[Serializer], request: Request) -> dict[str, Any]:
        serializer = serializer_class(data=request.data or {})
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def card(self, plugin_id: str) -> dict[str, Any]:
        catalogue = Catalogue()
        if plugin_id not in catalogue.plugins or catalogue.plugins[plugin_id].is_removed:
            raise why_not_loaded(plugin_id)
        card = catalogue.card(catalogue.plugins[plugin_id], operator=self.is_operator)
        return dict(PluginSerializer(card).data)

    def settled(self, result: Result, **more: Any) -> Response:
        """The plugin after a change: 200, or 202 and where to look when it is still under way."""
        card = self.card(result.plugin_id) | more
        if result.settled:
            return Response(card)
        return Response(card, status=202, headers={"Location": card["links"]["self"], "Retry-After": "1"})
