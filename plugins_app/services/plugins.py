"""Load, unload, reload, configure, remove. Every change is one transaction; then the caller waits for the truth."""

from __future__ import annotations

import secrets as random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from plugins_app.models import Plugin, PluginRelease, PluginState, PluginVersion

from .configs import effective, operator_config, require_valid
from .dependencies import check_compat, dependents_of, load_order
from .discovery import plugin_refresh
from .environments import environment_request
from .errors import StudioError
from .events import event_record
from .hints import DESIRED_CHANNEL, hint_on_commit
from .permissions import check_granted, permissions_asked
from .queue import enqueue_on_commit
from .releases import (
    Change,
    Ground,
    release_create,
    release_ground,
    releases_promote,
    releases_wait,
    unload_wait,
)

__all__ = [
    "Result",
    "plugin_config_merge",
    "plugin_config_set",
    "plugin_load",
    "plugin_permissions_grant",
    "plugin_reload",
    "plugin_remove",
    "plugin_unload",
]

User = Any  # whichever class the settings say; None: the studio itself


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a change. `settled` False: it is under way, look again later."""

    plugin_id: str
    settled: bool
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)


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
    _found(plugin_id)
    changes = _start_load(plugin_id, config, list(grant or []), user)
    settled = releases_wait(changes) if wait else not changes
    return Result(plugin_id, settled)


def _found(plugin_id: str, *, force: bool = False) -> Plugin:
    """The plugin as its folder is now."""
    plugin = plugin_refresh(plugin_id=plugin_id, force=force)
    if plugin is None or plugin.is_removed:
        raise _unknown(plugin_id)
    return plugin


def _unknown(plugin_id: str) -> StudioError:
    hint = "Put its folder into the plugins folder; GET /api/plugins/available lists what is there."
    return StudioError("plugin_not_found", f"There is no plugin {plugin_id}.", hint=hint)


@transaction.atomic
def _start_load(plugin_id: str, config: Mapping[str, Any] | None, grant: list[str], user: User) -> list[Change]:
    """Make every release the load needs, or raise and make none."""
    plugins = _locked()
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


def _locked() -> dict[str, Plugin]:
    """Every plugin, each locked: what depends on what must not change while it is looked at."""
    rows = Plugin.objects.select_for_update(of=("self",)).select_related(
        "version", "desired__version", "waiting__version", "proven"
    )
    return {plugin.id: plugin for plugin in rows.order_by("id")}


def _because_of(plugin_id: str, dependency: str, error: StudioError) -> StudioError:
    detail = f"{plugin_id} depends on {dependency}, which cannot be loaded: {error.detail}"
    extra = {"dependency": dependency, "cause": error.code}
    return StudioError("dependency_failed", detail, hint=error.hint, extra=extra)


def _load_one(plugin: Plugin, config: Mapping[str, Any] | None, grant: list[str], user: User) -> Change | None:
    running = plugin.waiting or plugin.desired
    version = running.version if running else _usable_version(plugin)
    ground = release_ground(plugin)
    if config is not None:
        plugin.config = operator_config(plugin, version, config, keep=True)
    _grant(plugin, version, grant)
    if running and _same(running, version, plugin) and not _failed(plugin):
        return _under_way(plugin)
    return _release(plugin, version, "load" if not running else "config", user, ground)


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


def _usable_version(plugin: Plugin) -> PluginVersion:
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


def _grant(plugin: Plugin, version: PluginVersion, grant: Iterable[str]) -> None:
    asked = permissions_asked(version.metadata)
    unknown = [permission for permission in grant if permission not in asked]
    if unknown:
        errors = [{"pointer": "/grant", "message": f"{name} is not asked for by {plugin.id}"} for name in unknown]
        raise StudioError("invalid", f"{plugin.id} does not ask for {', '.join(unknown)}.", errors=errors)
    plugin.granted = sorted({*plugin.granted, *grant})


def _same(running: PluginRelease, version: PluginVersion, plugin: Plugin) -> bool:
    """Whether a new release would be the one that runs. Encrypting twice gives two texts, so plain values decide."""
    from .secrets import reveal

    granted = [p for p in permissions_asked(version.metadata) if p in plugin.granted]
    if sorted(running.granted) != sorted(granted):
        return False
    try:
        return bool(reveal(running.config) == reveal(effective(version, plugin.config)))
    except ValueError:
        return False


def _release(plugin: Plugin, version: PluginVersion, cause: str, user: User, ground: Ground) -> Change:
    """Check everything that can be checked without running the plugin, then make the next generation."""
    config = effective(version, plugin.config)
    check_compat(plugin.id, version.metadata)
    check_granted(plugin.id, version.metadata, plugin.granted)
    require_valid(plugin.id, version, config)
    granted = [p for p in permissions_asked(version.metadata) if p in plugin.granted]
    release = release_create(
        plugin=plugin, version=version, config=config, granted=granted, ground=ground, cause=cause, user=user
    )
    if key := environment_request(metadata=version.metadata):
        enqueue_on_commit("environment_install", key)
    return Change(plugin.id, release.generation)


def plugin_unload(*, plugin_id: str, cascade: bool = False, user: User = None, wait: bool = True) -> Result:
    """Unload a plugin; one that is not loaded stays so.

    Raises:
        StudioError: `dependents_loaded`, naming them, unless `cascade` unloads them first.
    """
    order = _start_unload(plugin_id, cascade)
    return Result(plugin_id, unload_wait(order) if wait and order else not order)


@transaction.atomic
def _start_unload(plugin_id: str, cascade: bool) -> list[str]:
    plugins = _locked()
    if plugin_id not in plugins or plugins[plugin_id].is_removed:
        raise _unknown(plugin_id)
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
    _found(plugin_id, force=True)
    change, old = _start_reload(plugin_id, user)
    settled = releases_wait([change]) if wait else False
    return Result(plugin_id, settled, old=old, new=_release_facts(plugin_id, change.generation))


@transaction.atomic
def _start_reload(plugin_id: str, user: User) -> tuple[Change, dict[str, Any]]:
    plugins = _locked()
    plugin = plugins[plugin_id]
    running = plugin.desired or plugin.waiting
    if running is None:
        raise StudioError("not_loaded", f"{plugin_id} is not loaded.", hint="Load it first.")
    old = {"generation": running.generation, "digest": running.version.digest}
    try:
        version = _usable_version(plugin)
        _check_still_fits(plugin_id, version, plugins)
        change = _release(plugin, version, "reload", user, release_ground(plugin))
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


def plugin_config_set(*, plugin_id: str, config: Mapping[str, Any], user: User = None, wait: bool = True) -> Result:
    """Replace the stored configuration; a loaded plugin is swapped to it. A mask means: unchanged."""
    return _configure(plugin_id, config, user, keep=False, wait=wait)


def plugin_config_merge(*, plugin_id: str, config: Mapping[str, Any], user: User = None, wait: bool = True) -> Result:
    """Lay a partial configuration over the stored one; a loaded plugin is swapped to the result."""
    return _configure(plugin_id, config, user, keep=True, wait=wait)


def _configure(plugin_id: str, config: Mapping[str, Any], user: User, *, keep: bool, wait: bool) -> Result:
    _found(plugin_id)
    changes = _start_configure(plugin_id, config, user, keep)
    return Result(plugin_id, releases_wait(changes) if wait else not changes)


@transaction.atomic
def _start_configure(plugin_id: str, config: Mapping[str, Any], user: User, keep: bool) -> list[Change]:
    plugin = _locked()[plugin_id]
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
    if running is None or _same(running, version, plugin):
        plugin.save(update_fields=["config", "updated_at"])
        return []
    change = _release(plugin, version, "config", user, ground)
    releases_promote()
    return [change]


def _usable_problem(plugin: Plugin) -> StudioError:
    """Why a plugin without any version cannot be configured."""
    try:
        _usable_version(plugin)
    except StudioError as error:
        return error
    return StudioError("folder_missing", f"{plugin.id} has no files to configure.")


@transaction.atomic
def plugin_permissions_grant(*, plugin_id: str, granted: Iterable[str], user: User = None) -> None:
    """Set what the plugin is granted. What it asks for now and loses counts from its next load on."""
    plugin = _locked().get(plugin_id)
    if plugin is None:
        raise _unknown(plugin_id)
    asked = set(permissions_asked(plugin.metadata))
    plugin.granted = sorted({permission for permission in granted if permission in asked})
    plugin.save(update_fields=["granted", "updated_at"])


@transaction.atomic
def plugin_remove(*, plugin_id: str, user: User = None) -> Path | None:
    """Remove a plugin that is not loaded. Its folder is moved to the trash, from where it can be put back.

    Its row stays, hidden, for the number of its last generation. What it stored is gone.

    Raises:
        StudioError: `still_loaded`, or `plugin_not_found`.
    """
    plugin = Plugin.objects.select_for_update(of=("self",)).filter(id=plugin_id).first()
    if plugin is None or plugin.is_removed:
        raise _unknown(plugin_id)
    if plugin.desired_id or plugin.waiting_id or plugin.instances.filter(~Q(generation=None)).exists():
        raise StudioError("still_loaded", f"{plugin_id} is loaded.", hint="Unload it first.")
    moved = _to_trash(plugin)
    Plugin.objects.filter(id=plugin_id).update(
        version=None, missing=True, folder="", fingerprint="", problem=None, config={}, granted=[]
    )
    for rows in (plugin.executions, plugin.storage, plugin.releases, plugin.versions, plugin.instances):
        rows.all().delete()
    return moved


def _to_trash(plugin: Plugin) -> Path | None:
    folder = Path(plugin.folder)
    if plugin.missing or not folder.is_dir() or folder.parent != Path(settings.STUDIO_PLUGINS):
        return None
    trash = Path(settings.STUDIO_DATA) / "trash" / f"{folder.name}-{random.token_hex(4)}"
    trash.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(trash)
    except OSError:
        import shutil

        shutil.move(str(folder), str(trash))  # the plugins folder may lie on another file system
    return trash
