"""Bringing what a release needs to this node before its process is started."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from plugins_app.models import Plugin, PluginEnvironment, PluginVersion

from .connections import DATABASE_AWAY, release_connection
from .environments import (
    environment_key,
    environment_path,
    environment_problem,
    environment_request,
    environment_row,
)
from .errors import StudioError
from .packages import package_fetch
from .queue import enqueue_on_commit
from .snapshots import snapshot_path

__all__ = ["node_prepare"]

#: For so long at most a release waits for its files, and for its packages.
TIME_LIMIT = 15 * 60.0
#: For so long another node may take to pack the files.
PACKING_LIMIT = 60.0
_PAUSE = 0.25


def node_prepare(plugin_id: str, digest: str, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Make the snapshot and the environment of a release present here. Blocks; returns the problem, if there is one.

    When all is there, this is two looks at the disk.
    """
    problem = None
    if not snapshot_path(plugin_id, digest).is_dir():
        problem = _fetch(plugin_id, digest)
    key = environment_key(metadata)
    if problem is None and key is not None and not environment_path(key).is_dir():
        problem = _install(plugin_id, digest, key, metadata)
    return problem


def _fetch(plugin_id: str, digest: str) -> dict[str, Any] | None:
    """Get the files from the storage, as soon as the node that has them has packed them."""

    def is_shared() -> bool:
        return PluginVersion.objects.filter(plugin_id=plugin_id, digest=digest, shared=True).exists()

    if not _until(is_shared, plugin_id, digest, PACKING_LIMIT):
        if not _is_wanted(plugin_id, digest):
            return _superseded(plugin_id)
        detail = f"Version {digest[:12]} of {plugin_id} is not in this node's store, and no other node has shared it."
        return _problem("digest_missing", detail, "Reload the plugin to take a new snapshot of its folder.")
    try:
        package_fetch(plugin_id=plugin_id, digest=digest)
    except StudioError as error:
        return _problem(error.code, error.detail, error.hint)
    return None


def _install(plugin_id: str, digest: str, key: str, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Have this node's worker install the packages, and wait for it."""
    with transaction.atomic():
        if environment_request(metadata=metadata) is not None:
            enqueue_on_commit("environment_install", key)
    ended = (PluginEnvironment.Status.FAILED, PluginEnvironment.Status.CANCELLED)

    def is_over() -> bool:
        row = environment_row(key)
        return environment_path(key).is_dir() or row is None or row.status in ended

    if not _until(is_over, plugin_id, digest, TIME_LIMIT):
        if not _is_wanted(plugin_id, digest):
            return _superseded(plugin_id)
        detail = f"The Python packages of {plugin_id} were not installed within {TIME_LIMIT / 60:.0f} minutes."
        return _problem("environment_missing", detail, "Is a worker of this node running?")
    if environment_path(key).is_dir():
        return None
    problem = environment_problem(plugin_id, environment_row(key))
    missing = f"The Python packages of {plugin_id} are not installed on this node."
    return problem or _problem("environment_missing", missing, "Load the plugin again to install them.")


def _until(is_done: Callable[[], bool], plugin_id: str, digest: str, limit: float) -> bool:
    """Wait until it is done. False: the time is up, or the release is not wanted any more."""
    deadline = time.monotonic() + limit
    while True:
        try:
            if is_done():
                return True
            if time.monotonic() > deadline or not _is_wanted(plugin_id, digest):
                return False
        except DATABASE_AWAY:
            if time.monotonic() > deadline:
                raise
        release_connection()
        time.sleep(_PAUSE)  # a worker answers through the database and the disk; nothing else can be waited on


def _is_wanted(plugin_id: str, digest: str) -> bool:
    plugin = Plugin.objects.select_related("desired__version", "proven__version").filter(id=plugin_id).first()
    releases = (plugin.desired, plugin.proven) if plugin else ()  # the second is what a failed trial goes back to
    return any(release is not None and release.version.digest == digest for release in releases)


def _superseded(plugin_id: str) -> dict[str, Any]:
    return _problem("superseded", f"{plugin_id} was unloaded or changed back meanwhile.", "")


def _problem(code: str, detail: str, hint: str) -> dict[str, Any]:
    return {"code": code, "detail": detail, "hint": hint, "recoverable": True}
