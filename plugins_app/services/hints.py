"""Wake-up hints over Redis. A lost hint costs milliseconds, never correctness, so nothing here ever raises."""

from __future__ import annotations

import logging
from functools import cache

import redis
from django.conf import settings
from django.db import transaction

__all__ = ["DESIRED_CHANNEL", "EVENTS_CHANNEL", "hint", "hint_on_commit", "redis_client"]

DESIRED_CHANNEL = "studio:desired"
EVENTS_CHANNEL = "studio:events"
_log = logging.getLogger(__name__)


@cache
def redis_client() -> redis.Redis:
    """This process's client; its pool notices a fork."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1)


def hint(channel: str, payload: str) -> None:
    """Say that something changed."""
    try:
        redis_client().publish(channel, payload)
    except redis.RedisError as error:
        _log.warning("no hint on %s: %s", channel, error)


def hint_on_commit(channel: str, payload: str) -> None:
    """Say so once the transaction under way is visible to others."""
    transaction.on_commit(lambda: hint(channel, payload))
