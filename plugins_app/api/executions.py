"""`/api/executions`: what became of long calls."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.models import Execution
from plugins_app.services.errors import StudioError
from plugins_app.services.executions import execution_cancel

from .base import StudioViewSet, documented
from .events import execution_stream
from .serializers import ExecutionSerializer

__all__ = ["ExecutionViewSet"]


class ExecutionViewSet(StudioViewSet):
    """One's own executions; operators see everybody's."""

    serializer_class = ExecutionSerializer
    queryset = Execution.objects.none()
    lookup_field = "id"
    lookup_value_regex = "[^/]+"
    filterset_fields = ("status", "plugin", "method")

    def get_queryset(self) -> QuerySet[Execution]:
        rows = Execution.objects.order_by("-created_at", "id")
        return rows if self.is_operator else rows.filter(user_id=self.request.user.pk or 0)

    @documented("List executions", answers={200: ExecutionSerializer(many=True)})
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        serializer = ExecutionSerializer(page, many=True, context={"operator": self.is_operator})
        return self.get_paginated_response(serializer.data)

    @documented("One execution", answers={200: ExecutionSerializer}, codes=("execution_not_found",))
    def retrieve(self, request: Request, id: str) -> Response:
        return self._shown(self._row(id))

    @documented(
        "Cancel an execution",
        answers={200: ExecutionSerializer, 202: ExecutionSerializer},
        codes=("execution_not_found", "execution_finished"),
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, id: str) -> Response:
        row = execution_cancel(execution_id=self._row(id).id)
        return self._shown(row, status=200 if row.status in Execution.TERMINAL else 202)

    @documented(
        "Progress of an execution (SSE)",
        answers={(200, "text/event-stream"): OpenApiTypes.STR},
        codes=("execution_not_found",),
    )
    @action(detail=True)
    def events(self, request: Request, id: str) -> HttpResponseBase:
        return execution_stream(request, self._row(id).id)

    def _row(self, text: str) -> Execution:
        try:
            row = self.get_queryset().filter(id=UUID(text)).first()
        except ValueError:
            row = None
        if row is None:
            raise StudioError("execution_not_found", f"There is no execution {text} of yours.")
        return row

    def _shown(self, row: Execution, status: int = 200) -> Response:
        return Response(ExecutionSerializer(row, context={"operator": self.is_operator}).data, status=status)
