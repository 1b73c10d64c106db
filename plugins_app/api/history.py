"""`/api/plugins/{id}/events`: what happened to one plugin, newest first. The stream of all of them is in `events`."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.models import LifecycleEvent, Plugin
from plugins_app.services.calls import why_not_loaded

from .base import documented
from .cards import PluginCards
from .events import PARAMETERS, EventFilter, facts

__all__ = ["HistoryActions"]


class EventSerializer(serializers.Serializer):
    """One event. What it carries beside these stands beside them."""

    id = serializers.IntegerField()
    event = serializers.CharField()
    plugin_id = serializers.CharField()
    node = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class HistoryActions(PluginCards):
    """The past of a plugin."""

    @documented(
        "What happened to a plugin",
        description="Newest first, for 90 days. A removed plugin's events are there as long.",
        answers={200: EventSerializer(many=True)},
        parameters=[PARAMETERS["event"]],
        operation_id="plugins_history",
        codes=("invalid", "plugin_not_found"),
    )
    @action(detail=True, url_path="events")
    def history(self, request: Request, plugin_id: str) -> Response:
        rows = LifecycleEvent.objects.filter(plugin_id=plugin_id).order_by("-id")
        if not rows.exists() and not Plugin.objects.filter(id=plugin_id).exists():
            raise why_not_loaded(plugin_id)
        page = self.paginate_queryset(EventFilter.of(request).narrowed(rows))
        return self.get_paginated_response([{"id": row.id, **facts(row)} for row in page or ()])
