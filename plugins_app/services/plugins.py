"""Load, unload, reload. Every change is one transaction; then the caller waits for the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction

from plugins_app.models import Plugin, PluginRelease, PluginState, PluginVersion

from .changes import Result, User, find_plugin, is_same, lock_plugins, make_release, unknown_plugin, usable_version
from .configs import operator_config
from .dependencies import dependents_of, load_order
from .errors import StudioError
from .hints import DESIRED_CHANNEL, hint_on_commit
from .permissions import permissions_asked
from .releases import Change, release_ground, releases_promote, releases_wait, unload_wait

__all__ = ["plugin_load", "plugin_permissions_grant", "plugin_reload", "plugin_unload"]


def plugin_load(
    *,
    plugin_id: str,
    config: Mapping[str, Any] | None = None,
    user: User = None,
    grant: Iterable[str] | None = None,
    wait: bool = True,
) -> Result:
    """Load a plugin and what it depends on; a loaded one whose configuration changed is swapped to it.

    Raises:
        StudioError: why it is not loaded; nothing has changed then.
    """
    find_plugin(plugin_id)
    changes = _start_load(plugin_id, config, list(grant or []), user)
    settled = releases_wait(changes) if wait else not changes
    return Result(plugin_id, settled)


@transaction.atomic
def _start_load(plugin_id: str, config: Mapping[str, Any] | None, grant: list[str], user: User) -> list[Change]:
    """Make every release the load needs, or raise and make none."""
    plugins = lock_plugins()
    changes: list[Change] = []
    for current in load_order(plugin_id, plugins):
        own = current == plugin_id
        try:
            change = _load_one(plugins[current], config if own else None, grant if own else [], user)
        except StudioError as error:
            raise error if own else _because_of(plugin_id, current, error) from error
        changes += [change] if change else []
    releases_promote()
    return changes


def _because_of(plugin_id: str, dependency: str, error: StudioError) -> StudioError:
    detail = f"{plugin_id} depends on {dependency}, which cannot be loaded: {error.detail}"
    extra = {"dependency": dependency, "cause": error.code}
    return StudioError("dependency_failed", detail, hint=error.hint, extra=extra)


def _load_one(plugin: Plugin, config: Mapping[str, Any] | None, grant: list[str], user: User) -> Change | None:
    running = plugin.waiting or plugin.desired
    version = running.version if running else usable_version(plugin)
    ground = release_ground(plugin)
    if config is not None:
        plugin.config = operator_config(plugin, version, config, keep=True)
    _grant(plugin, version, grant)
    if running and is_same(running, version, plugin) and not _failed(plugin):
        return _under_way(plugin)
    return make_release(plugin, version, "load" if not running else "config", user, ground)


def _failed(plugin: Plugin) -> bool:
    """Whether it was serving and is not any more: loading it again then means to try again."""
    here = plugin.instances.filter(node=settings.STUDIO_NODE, state=PluginState.ERROR, generation=None)
    return plugin.desired_id is not None and plugin.desired_id == plugin.proven_id and here.exists()


def _under_way(plugin: Plugin) -> Change | None:
    """A load that somebody else has just asked for is waited for, not asked for again."""
    current = plugin.waiting or plugin.desired
    if current is None or current.id == plugin.proven_id:
        return None
    return Change(plugin.id, current.generation)


def _grant(plugin: Plugin, version: PluginVersion, grant: Iterable[str]) -> None:
    asked = permissions_asked(version.metadata)
    unknown = [permission for permission in grant if permission not in asked]
    if unknown:
        errors = [{"pointer": "/grant", "message": f"{name} is not asked for by {plugin.id}"} for name in unknown]
        raise StudioError("invalid", f"{plugin.id} does not ask for {', '.join(unknown)}.", errors=errors)
    plugin.granted = sorted({*plugin.granted, *grant})


def plugin_unload(*, plugin_id: str, cascade: bool = False, user: User = None, wait: bool = True) -> Result:
    """Unload a plugin; one that is not loaded stays so.

    Raises:
        StudioError: `dependents_loaded`, naming them, unless `cascade` unloads them first.
    """
    order = _start_unload(plugin_id, cascade)
    return Result(plugin_id, unload_wait(order) if wait and order else not order)


@transaction.atomic
def _start_unload(plugin_id: str, cascade: bool) -> list[str]:
    plugins = lock_plugins()
    if plugin_id not in plugins or plugins[plugin_id].is_removed:
        raise unknown_plugin(plugin_id)
    if not (plugins[plugin_id].desired_id or plugins[plugin_id].waiting_id):
        return []
    dependents = dependents_of(plugin_id, plugins)
    if dependents and not cascade:
        names = ", ".join(dependents)
        raise StudioError(
            "dependents_loaded",
            f"{names} depend(s) on {plugin_id} and would stop working.",
            hint='Unload them first, or unload with "cascade": true.',
            extra={"dependents": dependents},
        )
    order = [*dependents, plugin_id]
    for current in order:
        _want_nothing(plugins[current])
    return order


def _want_nothing(plugin: Plugin) -> None:
    plugin.desired = plugin.waiting = plugin.proven = None
    plugin.save(update_fields=["desired", "waiting", "proven", "updated_at"])
    hint_on_commit(DESIRED_CHANNEL, plugin.id)


def plugin_reload(*, plugin_id: str, user: User = None, wait: bool = True) -> Result:
    """Take the folder as it is now and swap to it: a new generation even when nothing changed.

    Raises:
        StudioError: why not; the old generation is still serving.
    """
    find_plugin(plugin_id, force=True)
    change, old = _start_reload(plugin_id, user)
    settled = releases_wait([change]) if wait else False
    return Result(plugin_id, settled, old=old, new=_release_facts(plugin_id, change.generation))


@transaction.atomic
def _start_reload(plugin_id: str, user: User) -> tuple[Change, dict[str, Any]]:
    plugins = lock_plugins()
    plugin = plugins[plugin_id]
    running = plugin.desired or plugin.waiting
    if running is None:
        raise StudioError("not_loaded", f"{plugin_id} is not loaded.", hint="Load it first.")
    old = {"generation": running.generation, "digest": running.version.digest}
    try:
        version = usable_version(plugin)
        _check_still_fits(plugin_id, version, plugins)
        change = make_release(plugin, version, "reload", user, release_ground(plugin))
    except StudioError as error:
        error.detail += f" Generation {running.generation} goes on serving." if plugin.desired else ""
        raise
    releases_promote()
    return change, old


def _check_still_fits(plugin_id: str, version: PluginVersion, plugins: dict[str, Plugin]) -> None:
    """The new version's dependencies must be loaded already: a reload loads nothing else."""
    plugin = plugins[plugin_id]
    desired, plugin.desired = plugin.desired, None  # so that the new metadata counts
    try:
        needed = [name for name in load_order(plugin_id, plugins) if name != plugin_id]
    finally:
        plugin.desired = desired
    missing = [name for name in needed if not plugins[name].desired_id]
    if missing:
        detail = f"{plugin_id} {version.metadata.get('version')} depends on {', '.join(missing)}: not loaded."
        raise StudioError("dependency_missing", detail, hint=f"Load {', '.join(missing)} first.")


def _release_facts(plugin_id: str, generation: int) -> dict[str, Any]:
    release = PluginRelease.objects.select_related("version").get(plugin_id=plugin_id, generation=generation)
    return {"generation": generation, "digest": release.version.digest}


@transaction.atomic
def plugin_permissions_grant(*, plugin_id: str, granted: Iterable[str], user: User = None) -> None:
    """Set what the plugin is granted. What it asks for now and loses counts from its next load on."""
    plugin = lock_plugins().get(plugin_id)
    if plugin is None:
        raise unknown_plugin(plugin_id)
    asked = set(permissions_asked(plugin.metadata))
    plugin.granted = sorted({permission for permission in granted if permission in asked})
    plugin.save(update_fields=["granted", "updated_at"])
