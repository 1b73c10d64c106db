"""`/api/plugins/{id}/config`: what an operator has stored."""

from __future__ import annotations

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.services import configuration as service

from .base import documented
from .cards import PluginCards
from .codes import BLOCKED, FAILED, OPERATORS
from .serializers import ConfigRequest, PluginSerializer

__all__ = ["ConfigActions"]


class ConfigActions(PluginCards):
    """The part of the plugin viewset that is about configuration."""

    @documented(
        "Replace the configuration",
        description="A loaded plugin is swapped to it. A masked secret sent back means: unchanged.",
        request=ConfigRequest,
        answers={200: PluginSerializer, 202: PluginSerializer},
        codes=("plugin_not_found", "config_invalid", "invalid", *BLOCKED, *FAILED, *OPERATORS),
    )
    @action(detail=True, methods=["put"])
    def config(self, request: Request, plugin_id: str) -> Response:
        given = self.parsed(ConfigRequest, request)
        return self.settled(service.plugin_config_set(plugin_id=plugin_id, config=given["config"], user=request.user))

    @documented(
        "Merge into the configuration",
        request=ConfigRequest,
        answers={200: PluginSerializer, 202: PluginSerializer},
        codes=("plugin_not_found", "config_invalid", "invalid", *BLOCKED, *FAILED, *OPERATORS),
    )
    @config.mapping.patch
    def config_merge(self, request: Request, plugin_id: str) -> Response:
        given = self.parsed(ConfigRequest, request)
        return self.settled(service.plugin_config_merge(plugin_id=plugin_id, config=given["config"], user=request.user))
