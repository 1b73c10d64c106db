"""What every change of a plugin begins with: find it, lock what it touches, check it, make the next generation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from plugins_app.models import Plugin, PluginRelease, PluginVersion

from .config_migrations import config_carry, config_for_version, config_prepare
from .configs import check_references, effective, require_valid
from .dependencies import check_compat
from .discovery import plugin_refresh
from .environments import environment_request
from .errors import StudioError
from .packages import package_share_on_commit
from .permissions import check_granted, permissions_grantable
from .queue import enqueue_on_commit
from .releases import Change, Ground, release_create
from .revisions import revision_record
from .secrets import reveal

__all__ = [
    "Result",
    "User",
    "all_plugins",
    "find_plugin",
    "is_same",
    "lock_plugins",
    "make_release",
    "require_loadable",
    "unknown_plugin",
    "usable_version",
]

User = Any  # whichever class the settings say; None: the studio itself


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a change. `settled` False: it is under way, look again later."""

    plugin_id: str
    settled: bool
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)


def find_plugin(plugin_id: str, *, force: bool = False) -> Plugin:
    """The plugin as its folder is now."""
    plugin = plugin_refresh(plugin_id=plugin_id, force=force)
    if plugin is None or plugin.is_removed:
        raise unknown_plugin(plugin_id)
    config_prepare(plugin)
    return plugin


def unknown_plugin(plugin_id: str) -> StudioError:
    hint = "Put its folder into the plugins folder; GET /api/plugins/available lists what is there."
    return StudioError("plugin_not_found", f"There is no plugin {plugin_id}.", hint=hint)


def all_plugins() -> dict[str, Plugin]:
    """Every plugin, with what is wanted of it."""
    return _by_id(Plugin.objects.all())


def lock_plugins() -> dict[str, Plugin]:
    """Every plugin, each locked: what depends on what must not change while it is looked at."""
    return _by_id(Plugin.objects.select_for_update(of=("self",)))


def _by_id(rows: QuerySet[Plugin]) -> dict[str, Plugin]:
    related = rows.select_related("version", "desired__version", "waiting__version", "proven")
    return {plugin.id: plugin for plugin in related.order_by("id")}


def usable_version(plugin: Plugin) -> PluginVersion:
    """The newest version, if the folder is fit to be loaded."""
    if plugin.problem is not None:
        problem = plugin.problem
        raise StudioError(
            problem["code"],
            problem["detail"],
            hint=problem.get("hint", ""),
            traceback=problem.get("traceback"),
        )
    if plugin.missing or plugin.version is None:
        detail = f"The folder of {plugin.id} is gone: {Path(plugin.folder).name or plugin.id}."
        raise StudioError("folder_missing", detail, hint="Put it back into the plugins folder.")
    return plugin.version


def is_same(running: PluginRelease, version: PluginVersion, plugin: Plugin) -> bool:
    """Whether a new release would be the one that runs. Encrypting twice gives two texts, so plain values decide."""
    granted = permissions_grantable(version.metadata, plugin.granted)
    if sorted(running.granted) != sorted(granted):
        return False
    try:
        return bool(reveal(running.config) == reveal(effective(version, plugin.config)))
    except ValueError:
        return False


def require_loadable(plugin: Plugin, version: PluginVersion) -> dict[str, Any]:
    """Check everything that can be checked without running the plugin; returns what it would be configured with."""
    check_compat(plugin.id, version.metadata)
    stored, _ = config_for_version(plugin, version)
    config = effective(version, stored)
    check_granted(plugin.id, version.metadata, plugin.granted)
    require_valid(plugin.id, version, config)
    check_references(plugin.id, version, config, plugin.granted)
    return config


def make_release(
    plugin: Plugin,
    version: PluginVersion,
    cause: str,
    user: User,
    ground: Ground,
    *,
    batch: UUID | None = None,
    explanation: list[dict[str, Any]] | None = None,
) -> Change:
    """Check what can be checked, then make the next generation.

    What belongs to one change set has the same `batch`: it is taken back together.
    """
    config_carry(plugin, version, user)
    config = require_loadable(plugin, version)
    revision_record(plugin=plugin, cause=cause, user=user, generation=plugin.generation + 1)
    granted = permissions_grantable(version.metadata, plugin.granted)
    release = release_create(
        plugin=plugin,
        version=version,
        config=config,
        granted=granted,
        ground=ground,
        cause=cause,
        user=user,
        batch=batch,
        explanation=explanation,
    )
    if key := environment_request(metadata=version.metadata):
        enqueue_on_commit("environment_install", key)
    package_share_on_commit(version)
    return Change(plugin.id, release.generation)
