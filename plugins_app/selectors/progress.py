"""What is under way for a plugin: the change that was asked for, and the packages that it waits for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from plugins_app.models import Plugin, PluginEnvironment, PluginInstance, PluginRelease
from plugins_app.services.environments import environment_key, environment_problem, environment_row
from plugins_app.services.trials import trial_seconds

__all__ = ["change_under_way", "environment_of", "failed_packages", "trial_of"]


def change_under_way(plugin: Plugin, here: PluginInstance | None) -> dict[str, Any] | None:
    """The release that is wanted and that this node has not finished with."""
    release = plugin.waiting or plugin.desired
    if release is None or (plugin.waiting is None and here is not None and here.attempted >= release.generation):
        return None
    return {
        "generation": release.generation,
        "cause": release.cause,
        "by": release.created_by.get_username() if release.created_by else None,
        "at": release.created_at,
        "state": "installing" if plugin.waiting else "starting",
    }


def trial_of(plugin: Plugin, here: PluginInstance | None) -> dict[str, Any] | None:
    """Until when what serves here is on trial: if it fails before then, the generation before it comes back.

    None where there is none that could.
    """
    release = plugin.desired if plugin.proven_id not in (None, plugin.desired_id) else None
    if release is None or here is None or here.generation != release.generation or here.started_at is None:
        return None
    if release.committed_at is not None or (here.committed or 0) >= release.generation:
        return None
    seconds = trial_seconds(release.version.metadata)
    if seconds <= 0:
        return None
    return {"generation": release.generation, "until": here.started_at + timedelta(seconds=seconds)}


def environment_of(plugin: Plugin) -> dict[str, Any] | None:
    """How far this node's environment of the plugin is; None when it needs none, or nobody has asked for it yet."""
    row = _row(plugin)
    if row is None:
        return None
    fields = ("status", "fraction", "message", "error", "size_bytes")
    return {name: getattr(row, name) for name in fields}


def failed_packages(plugin: Plugin) -> dict[str, Any] | None:
    """Why the plugin's packages are not there, once installing them has failed or was cancelled."""
    row = _row(plugin)
    if row is None or row.status != PluginEnvironment.Status.FAILED:
        return None
    return environment_problem(plugin.id, row)


def _row(plugin: Plugin) -> PluginEnvironment | None:
    release: PluginRelease | None = plugin.waiting or plugin.desired
    version = release.version if release else plugin.version
    key = environment_key(version.metadata) if version else None
    return environment_row(key)
