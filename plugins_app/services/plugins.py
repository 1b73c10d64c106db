"""Load, unload, reload. Every change is one transaction; then the caller waits for the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from plugins_app.models import Plugin, PluginRelease, PluginVersion

from .changes import Result, User, find_plugin, is_same, lock_plugins, make_release, unknown_plugin, usable_version
from .config_migrations import config_carry
from .configs import operator_config
from .dependencies import dependents_of
from .errors import StudioError
from .hints import DESIRED_CHANNEL, hint_on_commit
from .permissions import permissions_grantable
from .planning import (
    Plan,
    Step,
    because_of,
    decide,
    dependents_error,
    has_failed,
    not_loaded,
    unload_rows,
    version_to_load,
)
from .releases import Change, Ground, release_ground, releases_promote, releases_wait, unload_wait

__all__ = ["plugin_load", "plugin_permissions_grant", "plugin_reload", "plugin_unload"]


def plugin_load(
    *,
    plugin_id: str,
    config: Mapping[str, Any] | None = None,
    user: User = None,
    grant: Iterable[str] | None = None,
    wait: bool = True,
    digest: str | None = None,
    cause: str | None = None,
    stored: tuple[dict[str, Any], int] | None = None,
) -> Result:
    """Load a plugin and what it depends on; a loaded one whose configuration changed is swapped to it.

    With `digest` exactly that version is loaded, or swapped to; at least eight characters of it. `stored` takes the
    place of what is stored: a configuration, and the `config.version` it was written for.

    Raises:
        StudioError: why it is not loaded; nothing has changed then.
    """
    find_plugin(plugin_id)
    work = _start_load(plugin_id, config, list(grant or []), digest, _Work(user, cause, stored))
    return work.finish(plugin_id, wait)


@dataclass
class _Work:
    """What one change makes, all of one batch: it is taken back as a whole."""

    user: User
    cause: str | None = None
    stored: tuple[dict[str, Any], int] | None = None
    batch: UUID = field(default_factory=uuid4)
    changes: list[Change] = field(default_factory=list)
    needed: list[Change] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)

    def carry_out(self, plan: Plan, plugin: Plugin, ground: Ground, cause: str) -> None:
        """Make the releases of a plan, needed plugins first; what is under way already is waited for."""
        self.rows, self.new = plan.rows(), self.old
        for step in plan.steps:
            is_target = step.plugin is plugin
            if step.action == "keep":
                self._wait_for(step.plugin, is_target or step.plugin.id in plan.required)
            elif is_target:
                change = self._make(step, plan, ground, self.cause or cause)
                self.new = {"generation": change.generation, "digest": step.version.digest}
            else:
                self._take_along(plugin.id, step, plan)
        releases_promote()

    def _make(self, step: Step, plan: Plan, ground: Ground, cause: str) -> Change:
        facts: dict[str, Any] = {"batch": self.batch, "explanation": plan.explanation}
        change = make_release(step.plugin, step.version, cause, self.user, ground, **facts)
        self.changes.append(change)
        return change

    def _take_along(self, plugin_id: str, step: Step, plan: Plan) -> None:
        cause = "load" if step.action == "load" else "dependency"
        try:
            self._make(step, plan, release_ground(step.plugin), cause)
        except StudioError as error:
            raise because_of(plugin_id, step, error) from error

    def _wait_for(self, plugin: Plugin, needed: bool) -> None:
        """A load that somebody else has just asked for is waited for, not asked for again."""
        current = plugin.waiting or plugin.desired
        if needed and current is not None and current.id != plugin.proven_id:
            self.needed.append(Change(plugin.id, current.generation))

    def finish(self, plugin_id: str, wait: bool) -> Result:
        """Wait for what was made, and say what became of it."""
        settled = releases_wait(self.changes, self.needed) if wait else not (self.changes or self.needed)
        return Result(plugin_id, settled, old=self.old, new=self.new, changes=self.rows)


@transaction.atomic
def _start_load(
    plugin_id: str, config: Mapping[str, Any] | None, grant: list[str], digest: str | None, work: _Work
) -> _Work:
    """Make every release the load needs, or raise and make none."""
    plugins = lock_plugins()
    plugin = plugins[plugin_id]
    running = plugin.waiting or plugin.desired
    version = version_to_load(plugin, digest)
    ground = release_ground(plugin)
    if work.stored is not None:
        plugin.config, plugin.config_version = work.stored
    if config is not None:
        config_carry(plugin, version, work.user)
        plugin.config = operator_config(plugin, version, config, keep=True)
    _grant(plugin, version, grant)
    runs = running is not None and running.version_id == version.id
    same = running is not None and runs and is_same(running, version, plugin)
    work.old = _facts(running)
    plan = decide(plugin, version, plugins, changes=not same or has_failed(plugin))
    work.carry_out(plan, plugin, ground, "load" if running is None else ("config" if runs else "reload"))
    return work


def _grant(plugin: Plugin, version: PluginVersion, grant: Iterable[str]) -> None:
    grant = list(grant)
    known = permissions_grantable(version.metadata, grant)
    unknown = [permission for permission in grant if permission not in known]
    if unknown:
        errors = [{"pointer": "/grant", "message": f"{name} is not asked for by {plugin.id}"} for name in unknown]
        raise StudioError("invalid", f"{plugin.id} does not ask for {', '.join(unknown)}.", errors=errors)
    plugin.granted = sorted({*plugin.granted, *grant})


def plugin_unload(*, plugin_id: str, cascade: bool = False, user: User = None, wait: bool = True) -> Result:
    """Unload a plugin; one that is not loaded stays so.

    Raises:
        StudioError: `dependents_loaded`, naming them, unless `cascade` unloads them first.
    """
    order, rows = _start_unload(plugin_id, cascade)
    return Result(plugin_id, unload_wait(order) if wait and order else not order, changes=rows)


@transaction.atomic
def _start_unload(plugin_id: str, cascade: bool) -> tuple[list[str], list[dict[str, Any]]]:
    plugins = lock_plugins()
    if plugin_id not in plugins or plugins[plugin_id].is_removed:
        raise unknown_plugin(plugin_id)
    if not (plugins[plugin_id].desired_id or plugins[plugin_id].waiting_id):
        return [], []
    dependents = dependents_of(plugin_id, plugins)
    if dependents and not cascade:
        raise dependents_error(plugin_id, dependents)
    order = [*dependents, plugin_id]
    rows = unload_rows(order, plugins)
    for name in order:
        _want_nothing(plugins[name])
    return order, rows


def _want_nothing(plugin: Plugin) -> None:
    plugin.desired = plugin.waiting = plugin.proven = None
    plugin.save(update_fields=["desired", "waiting", "proven", "updated_at"])
    hint_on_commit(DESIRED_CHANNEL, plugin.id)


def plugin_reload(*, plugin_id: str, user: User = None, wait: bool = True) -> Result:
    """Take the folder as it is now and swap to it: a new generation even when nothing changed.

    What its new version needs is loaded, and loaded plugins that only fit to the old one are swapped as well.

    Raises:
        StudioError: why not; the old generation is still serving.
    """
    find_plugin(plugin_id, force=True)
    return _start_reload(plugin_id, _Work(user)).finish(plugin_id, wait)


@transaction.atomic
def _start_reload(plugin_id: str, work: _Work) -> _Work:
    plugins = lock_plugins()
    plugin = plugins[plugin_id]
    running = plugin.desired or plugin.waiting
    if running is None:
        raise not_loaded(plugin_id)
    work.old = _facts(running)
    try:
        ground = release_ground(plugin)
        plan = decide(plugin, usable_version(plugin), plugins, changes=True)
        work.carry_out(plan, plugin, ground, "reload")
    except StudioError as error:
        error.detail += f" Generation {running.generation} goes on serving." if plugin.desired else ""
        raise
    return work


def _facts(release: PluginRelease | None) -> dict[str, Any]:
    return {"generation": release.generation, "digest": release.version.digest} if release else {}


@transaction.atomic
def plugin_permissions_grant(*, plugin_id: str, granted: Iterable[str], user: User = None) -> None:
    """Set what the plugin is granted. What it asks for now and loses counts from its next load on."""
    plugin = lock_plugins().get(plugin_id)
    if plugin is None:
        raise unknown_plugin(plugin_id)
    plugin.granted = sorted(permissions_grantable(plugin.metadata, granted))
    plugin.save(update_fields=["granted", "updated_at"])
