"""`/api/plugins/{id}/config`: what an operator has stored, and everything that was stored before."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.models import Plugin
from plugins_app.selectors.revisions import revision_comparison, revision_facts, revision_of, revision_rows
from plugins_app.services import configuration as service
from plugins_app.services.calls import why_not_loaded

from .base import documented
from .cards import PluginCards
from .codes import BLOCKED, FAILED, OPERATORS
from .serializers import ConfigRequest, PluginSerializer, Strict

__all__ = ["CONFIG_ACTIONS", "ConfigActions"]

#: All of them are for operators.
CONFIG_ACTIONS = frozenset(
    {"config", "config_merge", "config_history", "config_revision", "config_compare", "config_rollback"}
)
_CHANGES = ("plugin_not_found", "config_invalid", "config_migration_failed", "invalid", *BLOCKED, *FAILED, *OPERATORS)


@extend_schema_field({})
class AnyJSON(serializers.JSONField):
    """Any JSON value."""


class RevisionSerializer(serializers.Serializer):
    """One stored configuration. `changed` names what was other before it."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    by = serializers.CharField(allow_null=True)
    cause = serializers.CharField(help_text="load, config, rollback, migration, ...")
    generation = serializers.IntegerField(allow_null=True, help_text="the release made for it; null: not loaded then")
    config_version = serializers.IntegerField()
    undone = serializers.BooleanField(help_text="its release failed, and the one before came back")
    current = serializers.BooleanField()
    changed = serializers.ListField(child=serializers.CharField(), help_text="JSON Pointers")


class WholeRevisionSerializer(RevisionSerializer):
    config = serializers.JSONField(help_text="secrets are masked")


class DifferenceSerializer(serializers.Serializer):
    pointer = serializers.CharField()
    kind = serializers.ChoiceField(choices=("added", "removed", "changed"))

    def get_fields(self) -> dict[str, serializers.Field]:
        # `from` is a word of Python's.
        return super().get_fields() | {"from": AnyJSON(allow_null=True), "to": AnyJSON(allow_null=True)}


class ComparisonSerializer(serializers.Serializer):
    """What differs between two revisions. Of secrets it only says that they do."""

    changes = DifferenceSerializer(many=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": serializers.IntegerField(), "to": serializers.IntegerField()} | super().get_fields()


class ComparisonQuery(serializers.Serializer):
    def get_fields(self) -> dict[str, serializers.Field]:
        return {
            "from": serializers.IntegerField(min_value=1),
            "to": serializers.IntegerField(min_value=1, required=False),
        }


class RestoreRequest(Strict):
    number = serializers.IntegerField(min_value=1)


class ConfigActions(PluginCards):
    """The part of the plugin viewset that is about configuration."""

    @documented(
        "Replace the configuration",
        description="A loaded plugin is swapped to it. A masked secret sent back means: unchanged.",
        request=ConfigRequest,
        answers={200: PluginSerializer, 202: PluginSerializer},
        codes=_CHANGES,
    )
    @action(detail=True, methods=["put"])
    def config(self, request: Request, plugin_id: str) -> Response:
        given = self.parsed(ConfigRequest, request)
        return self.settled(service.plugin_config_set(plugin_id=plugin_id, config=given["config"], user=request.user))

    @documented(
        "Merge into the configuration",
        request=ConfigRequest,
        answers={200: PluginSerializer, 202: PluginSerializer},
        codes=_CHANGES,
    )
    @config.mapping.patch
    def config_merge(self, request: Request, plugin_id: str) -> Response:
        given = self.parsed(ConfigRequest, request)
        return self.settled(service.plugin_config_merge(plugin_id=plugin_id, config=given["config"], user=request.user))

    @documented(
        "The history of the configuration",
        answers={200: RevisionSerializer(many=True)},
        codes=("plugin_not_found", *OPERATORS),
        operation_id="plugins_config_history_list",
    )
    @action(detail=True, url_path="config/history")
    def config_history(self, request: Request, plugin_id: str) -> Response:
        page: Any = self.paginate_queryset(revision_rows(_plugin(plugin_id)))
        facts = [revision_facts(revision) for revision in page]
        return self.get_paginated_response(RevisionSerializer(facts, many=True).data)

    @documented(
        "One revision of the configuration",
        answers={200: WholeRevisionSerializer},
        codes=("plugin_not_found", "revision_not_found", *OPERATORS),
        parameters=[OpenApiParameter("number", int, OpenApiParameter.PATH)],
    )
    @action(detail=True, url_path=r"config/history/(?P<number>[0-9]{1,9})")
    def config_revision(self, request: Request, plugin_id: str, number: str) -> Response:
        revision = revision_of(_plugin(plugin_id), int(number))
        return Response(WholeRevisionSerializer(revision_facts(revision, whole=True)).data)

    @documented(
        "What differs between two revisions",
        answers={200: ComparisonSerializer},
        codes=("plugin_not_found", "revision_not_found", "invalid", *OPERATORS),
        parameters=[
            OpenApiParameter("from", int, required=True),
            OpenApiParameter("to", int, description="by default what is stored now"),
        ],
    )
    @action(detail=True, url_path="config/compare")
    def config_compare(self, request: Request, plugin_id: str) -> Response:
        query = ComparisonQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        compared = revision_comparison(_plugin(plugin_id), asked["from"], asked.get("to"))
        return Response(ComparisonSerializer(compared).data)

    @documented(
        "Bring an earlier configuration back",
        description="It becomes a new revision; a loaded plugin is swapped to it.",
        request=RestoreRequest,
        answers={200: PluginSerializer, 202: PluginSerializer},
        codes=("revision_not_found", *_CHANGES),
    )
    @action(detail=True, methods=["post"], url_path="config/rollback")
    def config_rollback(self, request: Request, plugin_id: str) -> Response:
        number = self.parsed(RestoreRequest, request)["number"]
        return self.settled(service.plugin_config_rollback(plugin_id=plugin_id, number=number, user=request.user))


def _plugin(plugin_id: str) -> Plugin:
    rows = Plugin.objects.select_related("version", "desired__version", "waiting__version")
    plugin = rows.filter(id=plugin_id, removed_at=None).first()
    if plugin is None:
        raise why_not_loaded(plugin_id)
    return plugin
