"""Bringing what a release needs to this node before its process is started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .environments import environment_key, environment_path
from .snapshots import snapshot_path

__all__ = ["node_prepare"]


def node_prepare(plugin_id: str, digest: str, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Make the snapshot and the environment of a release present here. Blocks; returns the problem, if there is one."""
    if not snapshot_path(plugin_id, digest).is_dir():
        detail = f"the snapshot {digest[:12]} of {plugin_id} is not in this node's store"
        hint = "Reload the plugin to take a new snapshot of its folder."
        return {"code": "digest_missing", "detail": detail, "hint": hint}
    key = environment_key(metadata)
    if key is not None and not environment_path(key).is_dir():
        detail = f"the Python environment of {plugin_id} is not installed on this node"
        return {"code": "environment_missing", "detail": detail, "hint": "Load the plugin again to install it."}
    return None
