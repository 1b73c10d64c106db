"""Is the studio well? Each part is asked, and a part that does not answer says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from aichat.celery import app
from plugins_app.services.hints import redis_client
from plugins_app.services.nodes import is_away, node_ages

from .plugins import Catalogue

__all__ = ["studio_health"]

_WORKER_PATIENCE = 1.0


def studio_health() -> dict[str, Any]:
    """``{"status": "ok" | "down", "components": {name: {"ok", "detail"}}, "plugins": {id: state}}``."""
    checks: dict[str, Callable[[], str]] = {
        "database": _database,
        "redis": _redis,
        "plugin_host": _plugin_host,
        "workers": _workers,
    }
    components = {name: _ask(check) for name, check in checks.items()}
    well = all(component["ok"] for component in components.values())
    plugins = _plugin_states() if components["database"]["ok"] else {}
    return {"status": "ok" if well else "down", "components": components, "plugins": plugins}


def _ask(check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"ok": True, "detail": check()}
    except (DatabaseError, redis.RedisError, OperationalError, OSError, LookupError) as error:
        return {"ok": False, "detail": str(error) or type(error).__name__}


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.vendor


def _redis() -> str:
    redis_client().ping()
    return "answers"


def _plugin_host() -> str:
    """This node's own; others that are away are told of, and are no reason for sending people elsewhere."""
    ages = node_ages()
    age = ages.pop(settings.STUDIO_NODE, None)
    if age is None:
        raise LookupError("no plugin host has reported; start it with `manage.py pluginhost`")
    if is_away(age):
        raise LookupError(f"the plugin host's last sign of life is {age.total_seconds():.0f} s old")
    away = [node for node in sorted(ages) if is_away(ages[node])]
    return f"{settings.STUDIO_NODE} answers" + (f"; away: {', '.join(away)}" if away else "")


def _workers() -> str:
    answers = app.control.ping(timeout=_WORKER_PATIENCE, limit=1)
    if not answers:
        raise LookupError("no worker answers; start one with `celery -A aichat worker`")
    return next(iter(answers[0]))


def _plugin_states() -> dict[str, str]:
    catalogue = Catalogue()
    return {plugin.id: str(catalogue.state(plugin)) for plugin in catalogue.found}
