"""Handing work to Celery, by name and by id only. A message that is lost is found again by beat."""

from __future__ import annotations

import logging
from functools import partial

import redis
from django.db import transaction
from kombu.exceptions import OperationalError

from aichat.celery import app

from .hints import redis_client, redis_health

__all__ = ["enqueue", "enqueue_each_on_commit", "enqueue_on_commit", "tasks_waiting"]

#: While Redis hangs, each try takes seconds: so long after one nobody tries again.
_SILENT = 1.0
_log = logging.getLogger(__name__)


def enqueue_on_commit(task: str, *args: str) -> None:
    """Send a task once the rows it will read are visible."""
    transaction.on_commit(partial(enqueue, task, *args))


def enqueue_each_on_commit(task: str, ids: list[str], *, countdown: float | None = None) -> None:
    """Send one task for each id once the rows are visible. Without Redis, one try is enough for all of them."""
    transaction.on_commit(lambda: all(enqueue(task, one, countdown=countdown) for one in ids))


def enqueue(task: str, *args: str, countdown: float | None = None) -> bool:
    """Send a task now, to be run after so many seconds. False: beat will find what it was for."""
    if redis_health().failed_within(_SILENT):
        return False
    try:
        app.send_task(f"plugins_app.tasks.{task}", args=args, countdown=countdown, retry=False)
    except (OperationalError, OSError) as error:
        redis_health().failed()
        _log.warning("%s%s was not handed over, beat will: %s", task, args, error)
        return False
    return True


def tasks_waiting() -> int:
    """How many tasks wait for a worker of any node. Without Redis: none, they are gone or cannot be asked for."""
    try:
        return int(redis_client().llen(app.conf.task_default_queue))
    except (redis.RedisError, OSError):
        return 0
