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

__all__ = [
    "DESIRED_CHANNEL",
    "EVENTS_CHANNEL",
    "RedisHealth",
    "hint",
    "hint_on_commit",
    "redis_client",
    "redis_health",
]

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


class RedisHealth:
    """When Redis last failed this process."""

    def __init__(self) -> None:
        self._failed_at = -1000.0

    def failed(self) -> None:
        """It did not answer."""
        self._failed_at = time.monotonic()

    def failed_within(self, seconds: float) -> bool:
        """Whether it failed so short a time ago that asking it again would only cost time."""
        return time.monotonic() - self._failed_at < seconds


@cache
def redis_health() -> RedisHealth:
    """What this process knows of Redis."""
    return RedisHealth()


def hint(channel: str, payload: str) -> None:
    """Say that something changed, unless Redis has just failed to pass such a thing on."""
    if redis_health().failed_within(_SILENT):
        return
    try:
        redis_client().publish(channel, payload)
    except (redis.RedisError, OSError) as error:
        redis_health().failed()
        _log.warning("no hint on %s: %s", channel, error)


def hint_on_commit(channel: str, payload: str) -> None:
    """Say so once the transaction under way is visible to others."""
    transaction.on_commit(lambda: hint(channel, payload))
