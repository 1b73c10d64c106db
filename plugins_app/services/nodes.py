"""The machines that plugins run on: which of them are away, and forgetting those that never come back."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from aichat.keys import load_or_create_key
from plugins_app.models import NodeStatus, PluginEnvironment, PluginInstance

from .connections import release_connection
from .errors import StudioError

__all__ = [
    "is_away",
    "node_ages",
    "node_check_name",
    "node_forget",
    "node_place",
    "nodes_away",
    "nodes_expire",
    "nodes_here",
]

#: A plugin host reports every five seconds.
_AWAY_AFTER = timedelta(seconds=15)
_SECOND_LOOK = 12.0
_log = logging.getLogger(__name__)


def node_ages() -> dict[str, timedelta]:
    """The time since each node's last sign of life, by the database's clock: machines' own clocks differ."""
    age = ExpressionWrapper(Now() - F("heartbeat_at"), output_field=DurationField())
    return dict(NodeStatus.objects.annotate(age=age).values_list("node", "age"))


def is_away(age: timedelta) -> bool:
    """Whether this is too long. A sign of life that lies in the future is as old: the clock was moved back."""
    return abs(age) > _AWAY_AFTER


def nodes_away() -> set[str]:
    """The nodes that were not heard of for a while."""
    return {node for node, age in node_ages().items() if is_away(age)}


def nodes_here() -> set[str]:
    """The nodes that have just been heard of."""
    return {node for node, age in node_ages().items() if not is_away(age)}


def node_place() -> str:
    """The number of this data directory, made once."""
    return load_or_create_key(settings.STUDIO_DATA / "node.id", lambda: secrets.token_hex(16))


def node_check_name() -> None:
    """Whether this node's name is its own: two that report under one name would undo each other's work.

    Raises:
        StudioError: `invalid`; another machine has just reported under it.
    """
    others = NodeStatus.objects.filter(node=settings.STUDIO_NODE).exclude(place__in=("", node_place()))
    if others.exists() and settings.STUDIO_NODE in nodes_here():
        detail = f"STUDIO_NODE: another studio with this database calls itself {settings.STUDIO_NODE!r}."
        hint = "Give each machine a name of its own. If it was this one, with other data, wait 15 seconds."
        raise StudioError("invalid", detail, hint=hint)


def node_forget(*, node: str) -> None:
    """Forget a node that is away, and everything that was seen on it.

    Raises:
        StudioError: `node_not_found`; `invalid` while it is there.
    """
    if not NodeStatus.objects.filter(node=node).exists():
        raise StudioError("node_not_found", f"There is no node {node}.", hint="GET /api/nodes lists them.")
    if node not in nodes_away():
        detail = f"The node {node} is there: it would report itself again within seconds."
        raise StudioError("invalid", detail, hint="Stop its studio first.")
    _forget(node)


@transaction.atomic
def _forget(node: str, heartbeat_at: datetime | None = None) -> bool:
    """Delete the rows of a node; only if it was not heard of since `heartbeat_at`, when that is given."""
    rows = NodeStatus.objects.filter(node=node)
    if not (rows.filter(heartbeat_at=heartbeat_at) if heartbeat_at else rows).delete()[0]:
        return False
    PluginInstance.objects.filter(node=node).delete()
    PluginEnvironment.objects.filter(node=node).delete()
    return True


def nodes_expire(*, wait: Callable[[float], object] = time.sleep) -> list[str]:
    """Forget the nodes that were away for too long. For beat.

    Two looks decide: when a clock is moved, every node seems to be away for hours, but a living one reports again.
    """
    first = _expired()
    if not first:
        return []
    release_connection()
    wait(_SECOND_LOOK)
    second = _expired()
    gone = [node for node, at in first.items() if second.get(node) == at and _forget(node, at)]
    for node in gone:
        _log.warning("the node %s did not come back and is forgotten", node)
    return gone


def _expired() -> dict[str, datetime]:
    limit = max(timedelta(seconds=settings.STUDIO_NODE_EXPIRY), _AWAY_AFTER)
    expired = [node for node, age in node_ages().items() if abs(age) > limit and node != settings.STUDIO_NODE]
    return dict(NodeStatus.objects.filter(node__in=expired).values_list("node", "heartbeat_at"))
