"""Who is calling: `Authorization: Bearer <key>`, or a session."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from plugins_app.services.access import user_of_key

__all__ = ["ApiKeyAuthentication"]


class ApiKeyAuthentication(BaseAuthentication):
    """A key made with `manage.py apikeys` or in the admin."""

    def authenticate(self, request: Request) -> tuple[Any, str] | None:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        user = user_of_key(text.strip())
        if user is None:
            raise AuthenticationFailed("This key is unknown or was revoked.")
        return user, "key"

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
