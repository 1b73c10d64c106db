"""`/api/nodes`: the machines that plugins run on."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.selectors.nodes import node_card, node_cards
from plugins_app.services.nodes import node_forget

from .base import StudioViewSet, documented
from .codes import OPERATORS

__all__ = ["NodeViewSet"]


class NodeStatusSerializer(serializers.Serializer):
    """One machine, as its plugin host reports it."""

    node = serializers.CharField()
    state = serializers.ChoiceField(choices=("ready", "away"))
    pid = serializers.IntegerField(help_text="of its plugin host")
    started_at = serializers.DateTimeField()
    heartbeat_at = serializers.DateTimeField()
    sandbox = serializers.JSONField(help_text="which protections hold there")
    plugins = serializers.DictField(child=serializers.IntegerField(), help_text="how many are in which state")
    this = serializers.BooleanField(help_text="whether it is the one that answers")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="when it is forgotten, unless it comes back")


class NodeViewSet(StudioViewSet):
    """Looking at nodes is for everybody who is logged in, forgetting one for operators."""

    lookup_field = "node"
    lookup_value_regex = "[^/]+"
    serializer_class = NodeStatusSerializer
    filter_backends = ()
    operator_actions = frozenset({"destroy"})

    @documented("List nodes", answers={200: NodeStatusSerializer(many=True)})
    def list(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(node_cards())
        return self.get_paginated_response(NodeStatusSerializer(page, many=True).data)

    @documented("One node", answers={200: NodeStatusSerializer}, codes=("node_not_found",))
    def retrieve(self, request: Request, node: str) -> Response:
        return Response(NodeStatusSerializer(node_card(node)).data)

    @documented(
        "Forget a node that is away",
        description="It is back, with all it runs, as soon as its studio is started again.",
        answers={204: None},
        codes=("node_not_found", "invalid", *OPERATORS),
    )
    def destroy(self, request: Request, node: str) -> Response:
        node_forget(node=node)
        return Response(status=204)
