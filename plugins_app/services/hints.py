"""Wake-up hints over Redis. A lost hint costs milliseconds, never correctness, so nothing here ever raises."""

from __future__ import annotations

import logging
import time
from functools import cache

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

__all__ = ["DESIRED_CHANNEL", "EVENTS_CHANNEL", "hint", "hint_on_commit", "redis_client"]

DESIRED_CHANNEL = "studio:desired"
EVENTS_CHANNEL = "studio:events"
_log = logging.getLogger(__name__)


_TIMEOUT = 1.0
#: After a failure no hint is sent for so long: while Redis hangs, not everybody shall wait for it again and again.
_SILENT = 3.0


@cache
def redis_client() -> redis.Redis:
    """This process's client; its pool notices a fork. It tries once more at once, for a server that was restarted."""
    again = Retry(NoBackoff(), 1)
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=again
    )


class _Hinter:
    """Says that something changed, unless Redis has just failed to pass it on."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def send(self, channel: str, payload: str) -> None:
        if time.monotonic() < self._silent_until:
            return
        try:
            redis_client().publish(channel, payload)
        except (redis.RedisError, OSError) as error:
            self._silent_until = time.monotonic() + _SILENT
            _log.warning("no hint on %s: %s", channel, error)


@cache
def _hinter() -> _Hinter:
    return _Hinter()


def hint(channel: str, payload: str) -> None:
    """Say that something changed."""
    _hinter().send(channel, payload)


def hint_on_commit(channel: str, payload: str) -> None:
    """Say so once the transaction under way is visible to others."""
    transaction.on_commit(lambda: hint(channel, payload))
