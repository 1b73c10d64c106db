"""Keys for programs: made once, kept as a hash, known for a few seconds in each process, revocable."""

from __future__ import annotations

import copy
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction
from django.utils import timezone

from plugins_app.models import ApiKey

from .connections import DATABASE_AWAY, impatiently, patiently
from .errors import StudioError

__all__ = ["KnownKeys", "api_key_create", "api_key_lent", "api_key_revoke", "known_keys", "user_of_key"]

_KNOWN_FOR = 5  # seconds: how long a revoked key may go on working
_KNOWN_WITHOUT_DATABASE = 60  # seconds: the same while nobody can be asked
_SCHEME = "acs"


@transaction.atomic
def api_key_create(*, name: str, role: str) -> tuple[ApiKey, str]:
    """A new key and its text, which is shown once and kept nowhere."""
    if role not in ApiKey.Role.values:
        raise StudioError("invalid", f"The role {role!r} is not one of {', '.join(ApiKey.Role.values)}.")
    if ApiKey.objects.filter(name=name).exists():
        raise StudioError("invalid", f"There is a key named {name} already.", hint="Choose another name.")
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    text = f"{_SCHEME}_{prefix}_{secret}"
    key = ApiKey.objects.create(name=name, role=role, prefix=prefix, digest=_digest(text), user=_user(name, role))
    return key, text


def _user(name: str, role: str) -> Any:
    """The user a key acts as; nobody can log in as it."""
    user, created = get_user_model().objects.get_or_create(username=f"key:{name}"[:150])
    if created:
        user.set_unusable_password()
        user.save()
    operate = Permission.objects.get(content_type__app_label="plugins_app", codename="operate")
    user.user_permissions.set([operate] if role == ApiKey.Role.OPERATOR else [])
    return user


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def api_key_lent(*, name: str) -> Iterator[str]:
    """The text of a key that acts as the first operator and is gone afterwards: what is made with it is theirs."""
    key, text = api_key_create(name=name, role=ApiKey.Role.OPERATOR)
    own = key.user
    operator = get_user_model().objects.filter(is_superuser=True).order_by("pk").first()
    if operator is not None:
        ApiKey.objects.filter(pk=key.pk).update(user=operator)
    try:
        yield text
    finally:
        ApiKey.objects.filter(pk=key.pk).delete()
        own.delete()


def api_key_revoke(*, key: ApiKey) -> None:
    """The key stops working, in every process within seconds."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
    known_keys().forget(key.digest)


def user_of_key(text: str) -> Any | None:
    """The user a key acts as, or None. Asks the database once in a few seconds per key and process.

    A database that is being restarted is waited for; a key that was good a moment ago stays so meanwhile.
    """
    digest = _digest(text)
    user = known_keys().trusted(digest)
    return user if user is not None else _ask(text, digest)


def _ask(text: str, digest: str) -> Any | None:
    if known_keys().spare(digest) is None:
        user = patiently(lambda: _look_up(text, digest))
    else:
        try:
            with impatiently():
                user = _look_up(text, digest)
        except DATABASE_AWAY:
            spare = known_keys().spare(digest, go_on=True)
            if spare is None:
                raise
            return spare
    if user is None:
        known_keys().forget(digest)
    else:
        known_keys().remember(digest, user)
    return user


@dataclass(slots=True)
class _Known:
    user: Any
    confirmed: float
    trusted: float


class KnownKeys:
    """Whose keys this process has seen, and when. By a clock that nobody can set back: revoked is revoked."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._known: dict[str, _Known] = {}

    def trusted(self, digest: str) -> Any | None:
        """The user (a copy of one's own), if the key was good a few seconds ago."""
        known = self._known.get(digest)
        return copy.copy(known.user) if known and time.monotonic() - known.trusted < _KNOWN_FOR else None

    def spare(self, digest: str, *, go_on: bool = False) -> Any | None:
        """The user, if the database knew the key a minute ago. `go_on`: it is away, so do not ask for some seconds."""
        known = self._known.get(digest)
        if known is None or time.monotonic() - known.confirmed >= _KNOWN_WITHOUT_DATABASE:
            return None
        if go_on:
            known.trusted = time.monotonic()
        return copy.copy(known.user)

    def remember(self, digest: str, user: Any) -> None:
        """The database has just known the key."""
        if len(self._known) >= self._size:
            self._known.clear()  # far more keys than one process sees; asking again is all it costs
        now = time.monotonic()
        self._known[digest] = _Known(copy.copy(user), now, now)

    def forget(self, digest: str) -> None:
        """The key is not good any more."""
        self._known.pop(digest, None)


@cache
def known_keys() -> KnownKeys:
    """What this process knows."""
    return KnownKeys()


def _look_up(text: str, digest: str) -> Any | None:
    scheme, _, rest = text.partition("_")
    prefix = rest.partition("_")[0]
    key = ApiKey.objects.select_related("user").filter(prefix=prefix, revoked_at=None).first()
    if scheme != _SCHEME or key is None or not hmac.compare_digest(key.digest, digest) or not key.user.is_active:
        return None
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > timedelta(minutes=1):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    key.user.has_perm("plugins_app.operate")  # remembered on the user, and with it among the known keys
    return key.user
