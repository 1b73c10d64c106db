"""`/api/auth`: logging in and out of the front end."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import redis
from django.contrib.auth import authenticate, login, logout
from django.middleware.csrf import get_token
from rest_framework.authentication import SessionAuthentication
from rest_framework.decorators import action
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.services.errors import StudioError
from plugins_app.services.hints import redis_client

from .base import StudioViewSet, documented
from .serializers import LoginRequest, MeSerializer

__all__ = ["AuthViewSet"]

ATTEMPTS, WINDOW = 10, 60
_log = logging.getLogger(__name__)


class AuthViewSet(StudioViewSet):
    """A session for the browser."""

    public_actions = frozenset({"me", "login", "logout"})
    serializer_class = MeSerializer

    @documented("Who am I?", answers={200: MeSerializer})
    @action(detail=False)
    def me(self, request: Request) -> Response:
        get_token(request._request)  # sets the cookie, also for somebody who is about to log in
        if not request.user.is_authenticated:
            raise NotAuthenticated
        return Response(_me(request.user))

    @documented(
        "Log in",
        request=LoginRequest,
        answers={200: MeSerializer},
        codes=("invalid", "credentials_invalid", "csrf_failed", "rate_limited"),
        auth=[],
    )
    @action(detail=False, methods=["post"])
    def login(self, request: Request) -> Response:
        SessionAuthentication().enforce_csrf(request)
        serializer = LoginRequest(data=request.data or {})
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        attempts = _attempts_key(given["username"], request.META.get("REMOTE_ADDR", ""))
        _count_attempt(attempts)
        user = authenticate(request._request, username=given["username"], password=given["password"])
        if user is None:
            raise StudioError("credentials_invalid", "The name or the password is wrong.")
        _forget_attempts(attempts)
        login(request._request, user)
        return Response(_me(user))

    @documented("Log out", answers={204: None}, codes=("csrf_failed",))
    @action(detail=False, methods=["post"])
    def logout(self, request: Request) -> Response:
        logout(request._request)
        return Response(status=204)


def _me(user: Any) -> dict[str, Any]:
    return {"username": user.get_username(), "is_operator": user.has_perm("plugins_app.operate")}


def _attempts_key(username: str, address: str) -> str:
    name = hashlib.sha256(f"{username}\0{address}".encode()).hexdigest()[:32]
    return f"studio:login:{name}"


def _count_attempt(key: str) -> None:
    """At most so many failures a minute for one name from one address. Without Redis nobody is kept out."""
    try:
        with redis_client().pipeline() as together:
            together.incr(key)
            together.expire(key, WINDOW, nx=True)
            count = int(together.execute()[0])
    except redis.RedisError as error:
        _log.warning("login attempts cannot be counted: %s", error)
        return
    if count > ATTEMPTS:
        detail = f"Too many attempts to log in as this user; wait {WINDOW} s."
        raise StudioError("rate_limited", detail, retry_after=WINDOW)


def _forget_attempts(key: str) -> None:
    """Who knows the password has not been guessing."""
    try:
        redis_client().delete(key)
    except redis.RedisError as error:
        _log.warning("login attempts cannot be forgotten: %s", error)
