"""Changing what an operator has stored for a plugin; a loaded plugin is swapped to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from plugins_app.models import Plugin

from .changes import Result, User, find_plugin, is_same, lock_plugins, make_release, usable_version
from .configs import effective, operator_config, require_valid
from .errors import StudioError
from .events import event_record
from .releases import Change, release_ground, releases_promote, releases_wait

__all__ = ["plugin_config_merge", "plugin_config_set"]


def plugin_config_set(*, plugin_id: str, config: Mapping[str, Any], user: User = None, wait: bool = True) -> Result:
    """Replace the stored configuration; a loaded plugin is swapped to it. A mask means: unchanged."""
    return _configure(plugin_id, config, user, keep=False, wait=wait)


def plugin_config_merge(*, plugin_id: str, config: Mapping[str, Any], user: User = None, wait: bool = True) -> Result:
    """Lay a partial configuration over the stored one; a loaded plugin is swapped to the result."""
    return _configure(plugin_id, config, user, keep=True, wait=wait)


def _configure(plugin_id: str, config: Mapping[str, Any], user: User, *, keep: bool, wait: bool) -> Result:
    find_plugin(plugin_id)
    changes = _start_configure(plugin_id, config, user, keep)
    return Result(plugin_id, releases_wait(changes) if wait else not changes)


@transaction.atomic
def _start_configure(plugin_id: str, config: Mapping[str, Any], user: User, keep: bool) -> list[Change]:
    plugin = lock_plugins()[plugin_id]
    running = plugin.waiting or plugin.desired
    version = running.version if running else plugin.version
    if version is None:
        raise _usable_problem(plugin)
    before, ground = dict(plugin.config), release_ground(plugin)
    plugin.config = operator_config(plugin, version, config, keep=keep)
    require_valid(plugin_id, version, effective(version, plugin.config))
    if plugin.config == before:
        return []
    event_record(event="plugin_config_changed", plugin_id=plugin_id, data={"fields": sorted(config)})
    if running is None or is_same(running, version, plugin):
        plugin.save(update_fields=["config", "updated_at"])
        return []
    change = make_release(plugin, version, "config", user, ground)
    releases_promote()
    return [change]


def _usable_problem(plugin: Plugin) -> StudioError:
    """Why a plugin without any version cannot be configured."""
    try:
        usable_version(plugin)
    except StudioError as error:
        return error
    return StudioError("folder_missing", f"{plugin.id} has no files to configure.")
