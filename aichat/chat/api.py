"""The conversations' REST face. Every query goes through the user who asks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request

from aichat.chat import selectors, services
from aichat.chat.errors import ChatError
from aichat.chat.exporting import conversation_export
from aichat.chat.models import Conversation
from aichat.chat.serializers import ConversationDetailSerializer, ConversationSerializer
from plugins_app.api.rendering import AlwaysJSON
from plugins_app.services.calls import user_facts

__all__ = ["ConversationViewSet"]

_SEARCH = OpenApiParameter("search", str, description="part of the title")
_FORMAT = OpenApiParameter("format", str, required=True, description="the id of an export plugin")


class ConversationViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Conversation],
):
    """The user's own conversations."""

    queryset = Conversation.objects.none()
    content_negotiation_class = AlwaysJSON  # `format` names an export here, not a renderer
    lookup_value_regex = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    http_method_names = ("get", "patch", "delete", "head", "options")

    def get_queryset(self) -> QuerySet[Conversation]:
        user_id = self.request.user.pk
        if user_id is None:  # the OpenAPI document is drawn without anybody asking
            return Conversation.objects.none()
        return selectors.conversation_list(user_id=user_id, search=self.request.query_params.get("search", ""))

    def get_object(self) -> Conversation:
        user_id: Any = self.request.user.pk  # nobody gets here without having logged in
        return selectors.conversation_get(
            user_id=user_id, conversation_id=self._id(), messages=self.action == "retrieve"
        )

    def _id(self) -> UUID:
        return UUID(self.kwargs["pk"])

    def get_serializer_class(self) -> type[ConversationSerializer]:
        return ConversationDetailSerializer if self.action == "retrieve" else ConversationSerializer

    @extend_schema(parameters=[_SEARCH])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """List them, the one last talked in first."""
        return super().list(request, *args, **kwargs)

    def perform_update(self, serializer: Any) -> None:
        services.conversation_rename(
            conversation=serializer.instance,
            title=serializer.validated_data.get("title", serializer.instance.title),
        )

    def perform_destroy(self, instance: Conversation) -> None:
        services.conversation_delete(conversation=instance)

    @extend_schema(parameters=[_FORMAT], responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True)
    def export(self, request: Request, *args: Any, **kwargs: Any) -> StreamingHttpResponse:
        """The conversation as a file."""
        conversation = self.get_object()
        plugin_id = request.query_params.get("format", "")
        if not plugin_id:
            message = "Name an export plugin, such as ?format=markdown-export."
            raise ChatError("invalid", message, errors=[{"pointer": "/format", "message": message}])
        file = conversation_export(conversation=conversation, plugin_id=plugin_id, user=user_facts(request.user))
        response = StreamingHttpResponse(file.pieces(), content_type=file.media_type)
        response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=file.name) or ""
        response["Content-Length"] = str(len(file.content))
        response["X-Content-Type-Options"] = "nosniff"
        return response
