"""Cancelling a change that waits for its Python packages."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from plugins_app.models import Plugin, PluginEnvironment, PluginRelease

from .changes import User, lock_plugins, unknown_plugin
from .environments import environment_cancel, environment_key, environment_row
from .errors import StudioError
from .releases import Change, releases_revert

__all__ = ["plugin_cancel"]

_UNDER_WAY = (PluginEnvironment.Status.PENDING, PluginEnvironment.Status.INSTALLING)


@transaction.atomic
def plugin_cancel(*, plugin_id: str, user: User = None) -> None:
    """Take back the change that waits for packages, with all that was asked for together; what serves goes on.

    Their installation is stopped within a second, unless somebody else waits for the same packages.

    Raises:
        StudioError: `nothing_to_cancel`.
    """
    plugins = lock_plugins()
    plugin = plugins.get(plugin_id)
    if plugin is None or plugin.is_removed:
        raise unknown_plugin(plugin_id)
    together = _together(plugin, plugins.values())
    keys = {key for each in together if (key := _key_under_way(each))}
    if not keys:
        raise StudioError("nothing_to_cancel", f"No change of {plugin_id} waits for packages.")
    if plugin.waiting is not None:
        error = {
            "code": "install_cancelled",
            "detail": f"The installation of the packages of {plugin_id} was cancelled.",
            "hint": "Load it again to begin anew.",
            "recoverable": True,
        }
        changes = [Change(each.plugin_id, each.generation) for each in together]
        releases_revert(changes=changes, failed=Change(plugin_id, plugin.waiting.generation), error=error)
    asked_for = {id(each) for each in together}
    others = (each for each in _wanted(plugins.values()) if id(each) not in asked_for)
    for key in keys - {_key_under_way(each) for each in others}:
        environment_cancel(key=key)


def _together(plugin: Plugin, plugins: Iterable[Plugin]) -> list[PluginRelease]:
    """The releases that were asked for with the one that waits."""
    release = plugin.waiting or plugin.desired
    if release is None or plugin.waiting is None or release.batch is None:
        return [release] if release else []
    return [each.waiting for each in plugins if each.waiting is not None and each.waiting.batch == release.batch]


def _wanted(plugins: Iterable[Plugin]) -> list[PluginRelease]:
    return [release for plugin in plugins for release in (plugin.waiting, plugin.desired) if release is not None]


def _key_under_way(release: PluginRelease) -> str | None:
    """The environment that a release waits for on this node."""
    key = environment_key(release.version.metadata)
    row = environment_row(key)
    return key if row is not None and row.status in _UNDER_WAY else None
