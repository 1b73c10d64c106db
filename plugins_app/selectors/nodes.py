"""Nodes as everybody outside sees them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from django.conf import settings

from plugins_app.models import NodeStatus, PluginInstance
from plugins_app.services.errors import StudioError
from plugins_app.services.nodes import nodes_away

__all__ = ["node_card", "node_cards"]


def node_cards() -> list[dict[str, Any]]:
    """Every node that has reported, by name."""
    away, states = nodes_away(), _states()
    return [_card(row, row.node in away, states.get(row.node, {})) for row in NodeStatus.objects.order_by("node")]


def node_card(node: str) -> dict[str, Any]:
    """One node.

    Raises:
        StudioError: `node_not_found`.
    """
    found = next((card for card in node_cards() if card["node"] == node), None)
    if found is None:
        raise StudioError("node_not_found", f"There is no node {node}.", hint="GET /api/nodes lists them.")
    return found


def _states() -> dict[str, Counter[str]]:
    """How many plugins are in which state, by node."""
    states: dict[str, Counter[str]] = {}
    for node, state in PluginInstance.objects.values_list("node", "state"):
        states.setdefault(node, Counter())[state] += 1
    return states


def _card(row: NodeStatus, is_away: bool, states: dict[str, int]) -> dict[str, Any]:
    expires = row.heartbeat_at + timedelta(seconds=settings.STUDIO_NODE_EXPIRY)
    return {
        "node": row.node,
        "state": "away" if is_away else "ready",
        "pid": row.pid,
        "started_at": row.started_at,
        "heartbeat_at": row.heartbeat_at,
        "sandbox": row.sandbox,
        "plugins": dict(sorted(states.items())),
        "this": row.node == settings.STUDIO_NODE,
        "expires_at": expires if is_away and row.node != settings.STUDIO_NODE else None,
    }
