"""Who asks: a Bearer key, or Django's session cookie with its CSRF token; known for a few seconds, then asked again."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import CSRFCheck

from aichat.chat.errors import ChatError
from aichat.chat.http import Scope, header
from aichat.chat.threads import DatabaseThreads
from plugins_app.services.access import user_of_key

__all__ = ["Authenticator", "ChatUser"]

_KNOWN_FOR_S = 5.0
_REMEMBERED = 10_000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class ChatUser:
    """A user, as much of it as a chat needs."""

    id: int
    username: str
    is_operator: bool

    def to_dict(self) -> dict[str, Any]:
        """The user as plugins get it."""
        return {"id": self.id, "username": self.username, "is_operator": self.is_operator}


class Authenticator:
    """Finds the user of a request, in the database at most once in a few seconds for each."""

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._known: dict[str, tuple[float, ChatUser]] = {}
        self._csrf = CSRFCheck(_no_view)

    async def user_of(self, scope: Scope) -> ChatUser:
        """The user who asks.

        Raises:
            ChatError: nobody is known to ask, or a page of another site asks in the user's name.
        """
        scheme, _, key = header(scope, b"authorization").partition(" ")
        if scheme.lower() == "bearer":
            return await self._user_of_key(key.strip())
        request = ASGIRequest(scope, BytesIO())
        user = await self._user_of_session(request)
        self._check_origin(request)
        return user

    async def _user_of_key(self, key: str) -> ChatUser:
        name = "key:" + hashlib.sha256(key.encode()).hexdigest()
        user = self._remembered(name) or await self._threads.run(_look_up_key, key)
        if user is None:
            raise ChatError("unauthenticated", "The API key is unknown or was revoked.")
        return self._remember(name, user)

    async def _user_of_session(self, request: HttpRequest) -> ChatUser:
        session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        name = f"session:{session_key}"
        user = self._remembered(name) if session_key else None
        if session_key and user is None:
            user = await self._threads.run(_look_up_session, session_key)
        if user is None:
            raise ChatError("unauthenticated", "Log in, or send an API key as `Authorization: Bearer <key>`.")
        return self._remember(name, user)

    def _check_origin(self, request: HttpRequest) -> None:
        """Django's own check of token, origin and host, without its middleware."""
        try:
            request.get_host()
        except DisallowedHost as error:
            raise ChatError("bad_request", "This studio does not answer to that host name.") from error
        self._csrf.process_request(request)
        reason = self._csrf.process_view(request, _no_view, (), {})
        if reason and request.method not in _SAFE:
            raise ChatError("csrf_failed", f"{reason} Send the csrftoken cookie's value as X-CSRFToken.")

    def _remembered(self, name: str) -> ChatUser | None:
        since, user = self._known.get(name, (0.0, None))
        return user if time.monotonic() - since < _KNOWN_FOR_S else None

    def _remember(self, name: str, user: ChatUser) -> ChatUser:
        if self._remembered(name) is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()  # far more users at once than one process serves; asking again is all it costs
            self._known[name] = (time.monotonic(), user)
        return user


def _no_view(*args: Any) -> HttpResponse:
    """What the check asks for to see whether it is exempt from it."""
    return HttpResponse()


def _look_up_key(key: str) -> ChatUser | None:
    user = user_of_key(key)
    return None if user is None else _chat_user(user)


def _look_up_session(session_key: str) -> ChatUser | None:
    """What Django's session and authentication middlewares do, the check of the session's hash included."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return _chat_user(user) if user.is_authenticated else None


def _chat_user(user: Any) -> ChatUser:
    return ChatUser(user.pk, user.get_username(), bool(user.has_perm("plugins_app.operate")))
