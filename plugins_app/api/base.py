"""What all views of the API share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.viewsets import GenericViewSet

from plugins_app.services.errors import CODES

from . import schema as schema  # its extensions register themselves
from .permissions import IsOperator
from .rendering import AlwaysJSON, StudioJSONParser
from .serializers import ProblemSerializer

__all__ = ["StudioViewSet", "documented"]

_EVERYWHERE = ("unauthenticated",)


class StudioViewSet(GenericViewSet):
    """Reading is for everybody who is logged in; the actions in `operator_actions` are for operators."""

    content_negotiation_class = AlwaysJSON
    parser_classes = (StudioJSONParser,)
    operator_actions: frozenset[str] = frozenset()
    public_actions: frozenset[str] = frozenset()

    def get_permissions(self) -> list[BasePermission]:
        if self.action in self.public_actions:
            return []
        return [IsAuthenticated(), IsOperator()] if self.action in self.operator_actions else [IsAuthenticated()]

    @property
    def is_operator(self) -> bool:
        """Whether the caller may see what only operators see."""
        return bool(self.request.user.has_perm("plugins_app.operate"))


def documented(
    summary: str, *, request: Any = None, answers: dict[Any, Any], codes: tuple[str, ...] = (), **options: Any
) -> Callable[[Any], Any]:
    """Describe an operation: its answers, and every error code it can end with."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, *_EVERYWHERE):
        by_status.setdefault(CODES[code][0], []).append(code)
    errors = {
        (status, "application/problem+json"): OpenApiResponse(ProblemSerializer, description=", ".join(names))
        for status, names in by_status.items()
    }
    return extend_schema(summary=summary, request=request, responses={**answers, **errors}, **options)
