"""Changing what an operator has stored for a plugin; a loaded plugin is swapped to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from plugins_app.models import ConfigRevision, Plugin, PluginVersion

from .changes import Result, User, find_plugin, is_same, lock_plugins, make_release, usable_version
from .config_migrations import config_carry, config_for_version
from .configs import check_references, effective, operator_config, require_valid
from .errors import StudioError
from .events import event_record
from .releases import Change, release_ground, releases_promote, releases_wait
from .revisions import revision_record

__all__ = ["plugin_config_merge", "plugin_config_rollback", "plugin_config_set", "revision_missing"]

#: Writes what is to be stored, for this version, into the plugin's row.
_Change = Callable[[Plugin, PluginVersion], None]


def plugin_config_set(*, plugin_id: str, config: Mapping[str, Any], user: User = None, wait: bool = True) -> Result:
    """Replace the stored configuration; a loaded plugin is swapped to it. A mask means: unchanged."""

    def replace(plugin: Plugin, version: PluginVersion) -> None:
        try:
            config_carry(plugin, version, user)
        except StudioError:
            # What cannot be carried over can still be replaced: nothing of it is left then but kept secrets.
            plugin.config_version = int(version.metadata.get("config_version") or 1)
        plugin.config = operator_config(plugin, version, config, keep=False)

    return _configure(plugin_id, replace, user, "config", sorted(config), wait)


def plugin_config_merge(*, plugin_id: str, config: Mapping[str, Any], user: User = None, wait: bool = True) -> Result:
    """Lay a partial configuration over the stored one; a loaded plugin is swapped to the result."""

    def merge(plugin: Plugin, version: PluginVersion) -> None:
        config_carry(plugin, version, user)
        plugin.config = operator_config(plugin, version, config, keep=True)

    return _configure(plugin_id, merge, user, "config", sorted(config), wait)


def plugin_config_rollback(*, plugin_id: str, number: int, user: User = None, wait: bool = True) -> Result:
    """Store again what an earlier revision held, as today's version wants it; a loaded plugin is swapped to it.

    Raises:
        StudioError: `revision_not_found`, or why it cannot be used any more.
    """

    def bring_back(plugin: Plugin, version: PluginVersion) -> None:
        revision = ConfigRevision.objects.filter(plugin=plugin, number=number).first()
        if revision is None:
            raise revision_missing(plugin_id, number)
        plugin.config, plugin.config_version = revision.config, revision.config_version
        plugin.config, plugin.config_version = config_for_version(plugin, version)

    return _configure(plugin_id, bring_back, user, "rollback", [], wait)


def revision_missing(plugin_id: str, number: int) -> StudioError:
    """There is no revision of this number."""
    hint = f"GET /api/plugins/{plugin_id}/config/history lists them."
    return StudioError("revision_not_found", f"{plugin_id} has no revision {number}.", hint=hint)


def _configure(plugin_id: str, change: _Change, user: User, cause: str, fields: list[str], wait: bool) -> Result:
    find_plugin(plugin_id)
    changes = _start_configure(plugin_id, change, user, cause, fields)
    return Result(plugin_id, releases_wait(changes) if wait else not changes)


@transaction.atomic
def _start_configure(plugin_id: str, change: _Change, user: User, cause: str, fields: list[str]) -> list[Change]:
    plugin = lock_plugins()[plugin_id]
    running = plugin.waiting or plugin.desired
    version = running.version if running else plugin.version
    if version is None:
        raise _usable_problem(plugin)
    before, ground = (plugin.config, plugin.config_version), release_ground(plugin)
    change(plugin, version)
    require_valid(plugin_id, version, effective(version, plugin.config))
    check_references(plugin_id, version, plugin.config, plugin.granted)
    if (plugin.config, plugin.config_version) == before:
        return []
    event_record(event="plugin_config_changed", plugin_id=plugin_id, data={"fields": fields, "cause": cause})
    if running is None or is_same(running, version, plugin):
        revision_record(plugin=plugin, cause=cause, user=user, generation=running.generation if running else None)
        plugin.save(update_fields=["config", "config_version", "updated_at"])
        return []
    made = make_release(plugin, version, cause, user, ground)
    releases_promote()
    return [made]


def _usable_problem(plugin: Plugin) -> StudioError:
    """Why a plugin without any version cannot be configured."""
    try:
        usable_version(plugin)
    except StudioError as error:
        return error
    return StudioError("folder_missing", f"{plugin.id} has no files to configure.")
