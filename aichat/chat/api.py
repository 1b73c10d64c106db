"""The conversations' REST face. Every query goes through the user who asks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from aichat.chat import selectors
from aichat.chat import services_conversations as services
from aichat.chat.errors import ChatError
from aichat.chat.models import Conversation
from aichat.chat.search import search
from aichat.chat.serializers import (
    BranchSerializer,
    ConversationDetailSerializer,
    ConversationSerializer,
    DeletedSerializer,
    FoundSerializer,
    ImportSerializer,
)
from aichat.chat.services_imports import conversations_import
from aichat.chat.uploads import FILE_FORM, uploaded

__all__ = ["ConversationViewSet"]

_SEARCH = OpenApiParameter("search", str, description="words of the title or of one message, the last may be cut short")
_ARCHIVED = OpenApiParameter("archived", str, enum=["false", "true", "all"], description="`false` when not given")
_ARCHIVED_VALUES = {"": False, "false": False, "true": True, "all": None}


class ConversationViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[Conversation]):
    """The user's own conversations."""

    queryset = Conversation.objects.none()
    serializer_class = ConversationDetailSerializer
    lookup_value_regex = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

    @property
    def _user_id(self) -> int:
        user_id: Any = self.request.user.pk  # nobody gets here without having logged in
        return int(user_id)

    def get_object(self) -> Conversation:
        return selectors.conversation_get(user_id=self._user_id, conversation_id=self._id())

    def _id(self) -> UUID:
        return UUID(self.kwargs["pk"])

    @extend_schema(parameters=[_SEARCH, _ARCHIVED], responses=FoundSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List them: pinned ones first, then the one last talked in; or find them, the best first."""
        query = request.query_params.get("search", "").strip()
        mine = selectors.conversation_list(user_id=self._user_id, archived=self._archived())
        if not query:
            return self._page(mine, FoundSerializer, {})
        found = {one.conversation_id: one for one in search(user_id=self._user_id, query=query)}
        page = self.paginate_queryset(selectors.conversation_find(conversations=mine, found=list(found.values())))
        shown = [found[one.pk] for one in page or ()]
        context = {"matches": selectors.matches(found=shown, query=query)}
        return self.get_paginated_response(FoundSerializer(page, many=True, context=context).data)

    def _archived(self) -> bool | None:
        value = self.request.query_params.get("archived", "")
        if value not in _ARCHIVED_VALUES:
            message = "It must be `true`, `false` or `all`."
            raise ChatError("invalid", message, errors=[{"pointer": "/archived", "message": message}])
        return _ARCHIVED_VALUES[value]

    def _page(self, rows: QuerySet[Conversation], kind: type[ConversationSerializer], context: Any) -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(kind(page, many=True, context=context).data)

    @extend_schema(request=ConversationSerializer, responses={201: ConversationDetailSerializer})
    def create(self, request: Request) -> Response:
        """Begin one, in which nothing has been said yet."""
        fields = self._checked(ConversationSerializer(data=request.data))
        conversation = services.conversation_create(user_id=self._user_id, fields=fields)
        return self._detail(conversation, 201)

    @extend_schema(request=ConversationSerializer, responses=ConversationSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename, pin or archive it; change its model, system prompt and parameters."""
        conversation = self.get_object()
        fields = self._checked(ConversationSerializer(data=request.data, partial=True))
        services.conversation_update(conversation=conversation, fields=fields)
        return Response(ConversationSerializer(conversation).data)

    def _checked(self, serializer: Any) -> dict[str, Any]:
        serializer.is_valid(raise_exception=True)
        checked: dict[str, Any] = serializer.validated_data
        return checked

    def _detail(self, conversation: Conversation, status: int = 200) -> Response:
        return Response(ConversationDetailSerializer(conversation).data, status)

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete it; for 30 days it can be restored."""
        services.conversation_delete(conversation=self.get_object())
        return Response(status=204)

    @extend_schema(request=None, responses=ConversationDetailSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Bring it back."""
        return self._detail(services.conversation_restore(user_id=self._user_id, conversation_id=self._id()))

    @extend_schema(responses=DeletedSerializer(many=True))
    @action(detail=False)
    def deleted(self, request: Request) -> Response:
        """Those that can be restored."""
        return self._page(selectors.deleted_list(user_id=self._user_id), DeletedSerializer, {})

    @extend_schema(request=BranchSerializer, responses=ConversationDetailSerializer)
    @action(detail=True, methods=["post"])
    def branch(self, request: Request, pk: str) -> Response:
        """Make the branch through a message the current one, to its newest end."""
        conversation = self.get_object()
        fields = self._checked(BranchSerializer(data=request.data))
        return self._detail(
            services.branch_choose(conversation=conversation, message_id=fields["message_id"]),
        )

    @extend_schema(operation_id="conversations_import_create", request=FILE_FORM, responses=ImportSerializer)
    @action(detail=False, methods=["post"], url_path="import", url_name="import", parser_classes=[MultiPartParser])
    def import_file(self, request: Request) -> Response:
        """Import ChatGPT's, Open WebUI's or the studio's own export; what was imported before is skipped."""
        outcome = conversations_import(user_id=self._user_id, file=uploaded(request).file)
        return Response(ImportSerializer(outcome).data)
