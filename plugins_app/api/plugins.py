"""`/api/plugins`: parse, call a service, show the plugin."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.selectors.health import studio_health
from plugins_app.selectors.plugins import Catalogue
from plugins_app.services import plugins as service
from plugins_app.services.discovery import plugins_discover

from .base import documented
from .codes import BLOCKED, CALLS, FAILED, OPERATORS
from .configuration import CONFIG_ACTIONS, ConfigActions
from .events import EVENT_PARAMETERS, lifecycle_stream
from .execute import execute
from .history import HistoryActions
from .packages import PACKAGE_ACTIONS, PackageActions
from .plans import PLAN_ACTIONS, LoadedSerializer, PlanActions, SwappedSerializer
from .serializers import (
    DiscoverySerializer,
    ExecuteRequest,
    ExecuteResult,
    ExecutionAccepted,
    HealthSerializer,
    LoadRequest,
    PluginSerializer,
    UnloadRequest,
)

__all__ = ["PluginViewSet"]

_LOADED = frozenset({"installing", "loading", "active", "draining"})
_FILTERS = [
    OpenApiParameter("type", description="provider, tool, middleware, export or ui"),
    OpenApiParameter("state", description="one state, or several with commas"),
    OpenApiParameter("tag"),
    OpenApiParameter("search", description="in id, name, description and tags"),
]


class PluginViewSet(ConfigActions, PackageActions, PlanActions, HistoryActions):
    """Plugins: what there is, what is loaded, and every change to it."""

    lookup_field = "plugin_id"
    lookup_value_regex = "[^/]+"
    serializer_class = PluginSerializer
    filter_backends = ()  # the state of a plugin is in no column
    public_actions = frozenset({"health"})
    operator_actions = (
        PACKAGE_ACTIONS | PLAN_ACTIONS | CONFIG_ACTIONS | frozenset({"load", "unload", "reload", "discover"})
    )

    @documented("List loaded plugins", answers={200: PluginSerializer(many=True)}, parameters=_FILTERS)
    def list(self, request: Request) -> Response:
        plugins_discover()
        return self._page(loaded_only=True)

    @documented("List every plugin found", answers={200: PluginSerializer(many=True)}, parameters=_FILTERS)
    @action(detail=False)
    def available(self, request: Request) -> Response:
        plugins_discover()
        return self._page(loaded_only=False)

    @documented("One plugin", answers={200: PluginSerializer}, codes=("plugin_not_found",))
    def retrieve(self, request: Request, plugin_id: str) -> Response:
        plugins_discover()
        return Response(self.card(plugin_id))

    @documented(
        "Load a plugin, or swap it to another configuration",
        request=LoadRequest,
        answers={200: LoadedSerializer, 202: LoadedSerializer},
        codes=("plugin_not_found", "config_invalid", "invalid", *BLOCKED, *FAILED, *OPERATORS),
    )
    @action(detail=False, methods=["post"])
    def load(self, request: Request) -> Response:
        given = self.parsed(LoadRequest, request)
        result = service.plugin_load(
            plugin_id=given["plugin_id"],
            config=given.get("config"),
            grant=given.get("grant"),
            user=request.user,
        )
        return self.settled(result, changes=result.changes)

    @documented(
        "Unload a plugin",
        request=UnloadRequest,
        answers={200: PluginSerializer, 202: PluginSerializer},
        codes=("plugin_not_found", "dependents_loaded", "invalid", *OPERATORS),
    )
    @action(detail=True, methods=["post"])
    def unload(self, request: Request, plugin_id: str) -> Response:
        given = self.parsed(UnloadRequest, request)
        return self.settled(service.plugin_unload(plugin_id=plugin_id, cascade=given["cascade"], user=request.user))

    @documented(
        "Swap a loaded plugin to its folder as it is now",
        answers={200: SwappedSerializer, 202: SwappedSerializer},
        codes=("plugin_not_found", "not_loaded", "config_invalid", *BLOCKED, *FAILED, *OPERATORS),
    )
    @action(detail=True, methods=["post"])
    def reload(self, request: Request, plugin_id: str) -> Response:
        result = service.plugin_reload(plugin_id=plugin_id, user=request.user)
        return self.settled(result, old=result.old, new=result.new, changes=result.changes)

    @documented(
        "Call a method of a plugin",
        request=ExecuteRequest,
        answers={200: ExecuteResult, 202: ExecutionAccepted},
        codes=(*CALLS, "execution_in_progress", "idempotency_key_reused"),
    )
    @action(detail=False, methods=["post"])
    def execute(self, request: Request) -> Response:
        return execute(self.parsed(ExecuteRequest, request), request.user)

    @documented("Is the studio well?", answers={200: HealthSerializer, 503: HealthSerializer}, auth=[])
    @action(detail=False)
    def health(self, request: Request) -> Response:
        health = studio_health()
        if not request.user.is_authenticated:  # a probe needs to know whether, not what
            health = {
                "status": health["status"],
                "components": {name: {"ok": part["ok"]} for name, part in health["components"].items()},
            }
        return Response(health, status=200 if health["status"] == "ok" else 503)

    @documented(
        "Look at the plugins folder now",
        description="Lists see new folders by themselves; this also looks at broken ones again.",
        answers={200: DiscoverySerializer},
        codes=OPERATORS,
    )
    @action(detail=False, methods=["post"])
    def discover(self, request: Request) -> Response:
        return Response(DiscoverySerializer(plugins_discover(force=True)).data)

    @documented(
        "Lifecycle events (SSE)",
        answers={(200, "text/event-stream"): OpenApiTypes.STR},
        codes=("invalid",),
        parameters=EVENT_PARAMETERS,
    )
    @action(detail=False)
    def events(self, request: Request) -> HttpResponseBase:
        return lifecycle_stream(request)

    def _page(self, *, loaded_only: bool) -> Response:
        catalogue = Catalogue()
        cards = [catalogue.card(plugin, operator=self.is_operator) for plugin in catalogue.found]
        wanted = [card for card in cards if self._is_wanted(card, loaded_only)]
        page = self.paginate_queryset(wanted)
        return self.get_paginated_response(PluginSerializer(page, many=True).data)

    def _is_wanted(self, card: dict[str, Any], loaded_only: bool) -> bool:
        query = self.request.query_params
        loaded = card["state"] in _LOADED or (card["state"] == "error" and card["generation"] is not None)
        words = " ".join((card["id"], card["name"], card["description"], *card["tags"])).lower()
        return (
            (loaded or not loaded_only)
            and query.get("type", card["type"]) == card["type"]
            and (not query.get("state") or card["state"] in query["state"].split(","))
            and (not query.get("tag") or query["tag"] in card["tags"])
            and all(word in words for word in query.get("search", "").lower().split())
        )
