"""Who may do what."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

__all__ = ["IsOperator"]


class IsOperator(BasePermission):
    """Managing plugins needs the permission `plugins_app.operate`."""

    message = "Only operators may manage plugins."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm("plugins_app.operate"))
