"""The shapes of a change that concerns several plugins, and telling one beforehand."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.services.planning import plugin_plan

from .base import documented
from .cards import PluginCards
from .codes import OPERATORS
from .serializers import AskerSerializer, PluginSerializer, ReloadSerializer, Strict

__all__ = ["PLAN_ACTIONS", "LoadedSerializer", "PlanActions", "SwappedSerializer"]

PLAN_ACTIONS = frozenset({"plan"})  # it tells of stored configurations that do not fit


class ChosenVersionSerializer(serializers.Serializer):
    version = serializers.CharField(allow_null=True)
    digest = serializers.CharField()


class EffectSerializer(serializers.Serializer):
    """What a change does to one plugin.

    `because` names the plugins that ask for it; for one that is swapped or unloaded with others, those it follows.
    """

    id = serializers.CharField()
    action = serializers.ChoiceField(choices=("load", "swap", "unload", "keep"))
    to = ChosenVersionSerializer(allow_null=True)
    because = AskerSerializer(many=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        """`from` is no name that Python allows."""
        fields = dict(super().get_fields())
        return {**fields, "from": ChosenVersionSerializer(allow_null=True)}


class RejectedVersionSerializer(serializers.Serializer):
    version = serializers.CharField()
    code = serializers.CharField()
    reason = serializers.CharField()


class ReasonSerializer(serializers.Serializer):
    """Which plugin asked for which, and what it got; `by` null: asked for from outside."""

    id = serializers.CharField()
    range = serializers.CharField(allow_blank=True)
    by = serializers.CharField(allow_null=True)
    by_version = serializers.CharField(allow_null=True)
    chosen = serializers.CharField(allow_null=True)
    candidates = serializers.ListField(child=serializers.CharField())
    optional = serializers.BooleanField()
    rejected = RejectedVersionSerializer(many=True)


class RefusalSerializer(serializers.Serializer):
    """Why it is not possible: as the problem that the change itself would answer with."""

    code = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    hint = serializers.CharField(allow_blank=True)
    path = serializers.ListField(child=serializers.CharField(), required=False)


class PlanSerializer(serializers.Serializer):
    action = serializers.ChoiceField(choices=("load", "reload", "unload"))
    possible = serializers.BooleanField()
    problem = RefusalSerializer(allow_null=True)
    changes = EffectSerializer(many=True)
    explanation = ReasonSerializer(many=True)


class LoadedSerializer(PluginSerializer):
    changes = EffectSerializer(many=True)


class SwappedSerializer(ReloadSerializer):
    changes = EffectSerializer(many=True)


class PlanQuery(Strict):
    action = serializers.ChoiceField(choices=("load", "reload", "unload"), default="load")
    cascade = serializers.BooleanField(default=False, help_text="of an unload")
    digest = serializers.CharField(required=False, max_length=64, help_text="of a load: exactly this version")


class PlanActions(PluginCards):
    """What a change would do."""

    @documented(
        "What a load, reload or unload would do now",
        description="Nothing is changed. What stands in the way is part of the answer, not its status.",
        answers={200: PlanSerializer},
        parameters=[PlanQuery],
        codes=("plugin_not_found", "invalid", *OPERATORS),
    )
    @action(detail=True)
    def plan(self, request: Request, plugin_id: str) -> Response:
        query = PlanQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        return Response(plugin_plan(plugin_id=plugin_id, **query.validated_data))
