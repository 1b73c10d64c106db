"""Changing what is wanted, and finding out what became of it.

A change makes an immutable `PluginRelease` and points `Plugin.desired` at it. The plugin host makes it so and writes
what it saw. When a release does not get ready, `desired` goes back to `proven`: the host sees what runs already.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from plugins_app.models import Plugin, PluginEnvironment, PluginInstance, PluginRelease, PluginState, PluginVersion

from .connections import release_connection
from .dependencies import dependencies_of
from .environments import environment_key
from .errors import StudioError
from .events import event_record
from .hints import DESIRED_CHANNEL, hint_on_commit

__all__ = [
    "Change",
    "Ground",
    "release_create",
    "release_ground",
    "release_outcome",
    "release_prove",
    "release_revert",
    "releases_promote",
    "releases_settle",
    "releases_wait",
    "unload_wait",
]

WAIT_SECONDS = 25.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """One release that was asked for."""

    plugin_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class Ground:
    """What the operator had stored when the plugin was last seen to work: a failed change goes back to it."""

    config: dict[str, Any]
    granted: list[str]


def release_ground(plugin: Plugin) -> Ground:
    """Where a change of the plugin, as it is now, would go back to. What serves is proven first: it may be new."""
    if plugin.desired is not None and plugin.desired_id != plugin.proven_id and _serves(plugin.desired):
        plugin.proven = plugin.desired
    current = plugin.waiting or plugin.desired
    if current is not None and current.id != plugin.proven_id:
        return Ground(current.previous_config, current.previous_granted)
    return Ground(dict(plugin.config), list(plugin.granted))


def release_create(
    *,
    plugin: Plugin,
    version: PluginVersion,
    config: dict[str, Any],
    granted: list[str],
    ground: Ground,
    cause: str,
    user: Any,
    batch: UUID | None = None,
    explanation: list[dict[str, Any]] | None = None,
) -> PluginRelease:
    """The next generation, wanted at once or as soon as its Python environment is ready. Runs in a transaction."""
    plugin.generation += 1
    release = PluginRelease.objects.create(
        plugin=plugin,
        generation=plugin.generation,
        version=version,
        config=config,
        granted=granted,
        previous_config=ground.config,
        previous_granted=ground.granted,
        cause=cause,
        created_by=user,
        batch=batch,
        explanation=explanation or [],
    )
    plugin.waiting = release
    plugin.save(update_fields=["generation", "waiting", "proven", "config", "granted", "updated_at"])
    event_record(
        event="plugin_loading",
        plugin_id=plugin.id,
        data={"generation": release.generation, "digest": version.digest, "cause": cause},
    )
    return release


@transaction.atomic
def releases_promote() -> list[str]:
    """Want what waited: every release whose environment is ready and whose dependencies are wanted themselves."""
    promoted: list[str] = []
    while batch := [plugin for plugin in _waiting() if _may_start(plugin)]:
        for plugin in batch:
            plugin.desired, plugin.waiting = plugin.waiting, None
            plugin.save(update_fields=["desired", "waiting", "updated_at"])
            hint_on_commit(DESIRED_CHANNEL, plugin.id)
            promoted.append(plugin.id)
    return promoted


def _waiting() -> list[Plugin]:
    waiting = Plugin.objects.select_for_update(of=("self",)).filter(waiting__isnull=False)
    return list(waiting.select_related("waiting__version").order_by("id"))


def _may_start(plugin: Plugin) -> bool:
    assert plugin.waiting is not None
    metadata = plugin.waiting.version.metadata
    key = environment_key(metadata)
    if (
        key
        and not PluginEnvironment.objects.filter(
            key=key, node=settings.STUDIO_NODE, status=PluginEnvironment.Status.READY
        ).exists()
    ):
        return False
    needed = [d.plugin_id for d in dependencies_of(metadata) if not d.optional]
    return not Plugin.objects.filter(id__in=needed, desired__isnull=True).exists()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a release: `error` None and `settled` means that it serves."""

    settled: bool
    error: dict[str, Any] | None = None


def release_outcome(*, plugin_id: str, generation: int) -> Outcome:
    """What this node's plugin host has made of a release so far."""
    plugin = Plugin.objects.select_related("waiting__version", "desired").get(id=plugin_id)
    if plugin.waiting is not None and plugin.waiting.generation >= generation:
        return _environment_outcome(plugin.waiting)
    seen = PluginInstance.objects.filter(plugin_id=plugin_id, node=settings.STUDIO_NODE).first()
    if seen is not None and (seen.generation or 0) >= generation:
        return Outcome(settled=True)
    if plugin.desired is None or plugin.desired.generation < generation:
        # Whoever took it back has noted why: beat, or the task that installs packages, may be faster than we are.
        release = PluginRelease.objects.filter(plugin_id=plugin_id, generation=generation).first()
        if release is not None and release.failure is not None:
            return Outcome(settled=True, error=release.failure)
        superseded = {"code": "superseded", "detail": f"{plugin_id} was unloaded or changed back meanwhile."}
        return Outcome(settled=True, error=(seen.error if seen else None) or superseded)
    if seen is not None and seen.attempted >= generation:
        return Outcome(settled=True, error=seen.error or {"code": "load_failed"})
    return Outcome(settled=False)


def _environment_outcome(release: PluginRelease) -> Outcome:
    key = environment_key(release.version.metadata)
    row = (
        PluginEnvironment.objects.filter(
            key=key, node=settings.STUDIO_NODE, status=PluginEnvironment.Status.FAILED
        ).first()
        if key
        else None
    )
    if row is None:
        return Outcome(settled=False)
    error = {
        "code": "environment_install_failed",
        "detail": f"The Python packages of {release.plugin_id} cannot be installed: {row.error}",
        "hint": "Correct the requirements, or the network and package index, and load it again.",
        "recoverable": True,
    }
    return Outcome(settled=True, error=error)


def releases_wait(changes: list[Change]) -> bool:
    """Wait until each of them serves; False when the time is up first (the change goes on by itself).

    Raises:
        StudioError: one failed; all of them have been taken back.
    """
    deadline, pause = time.monotonic() + WAIT_SECONDS, _FIRST_PAUSE
    left = list(changes)
    while left:
        outcome = release_outcome(plugin_id=left[0].plugin_id, generation=left[0].generation)
        if outcome.error is not None:
            _give_up(changes, left[0], outcome.error)
        if outcome.settled:
            release_prove(plugin_id=left.pop(0).plugin_id)
        elif time.monotonic() >= deadline:
            return False
        else:
            release_connection()
            time.sleep(pause)  # the host answers through the database; nothing else can be waited on
            pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True


@transaction.atomic
def release_prove(*, plugin_id: str) -> None:
    """Remember that what is wanted was seen serving."""
    plugin = Plugin.objects.select_for_update().get(id=plugin_id)
    if plugin.desired_id != plugin.proven_id and plugin.desired is not None and _serves(plugin.desired):
        plugin.proven = plugin.desired
        plugin.save(update_fields=["proven"])


def _serves(release: PluginRelease) -> bool:
    here = PluginInstance.objects.filter(plugin_id=release.plugin_id, node=settings.STUDIO_NODE)
    return here.filter(generation=release.generation).exists()


def _give_up(changes: list[Change], failed: Change, error: dict[str, Any]) -> None:
    """Take back every change of the batch and say why the failed one failed."""
    for change in reversed(changes):
        release_revert(change=change, error=error if change is failed else None)
    serving = _serving_words(failed.plugin_id)
    raise StudioError(
        error.get("code") or "load_failed",
        f"{_sentence(error.get('detail') or 'The plugin did not start.')} {serving}",
        hint=error.get("hint") or "",
        errors=error.get("errors"),
        traceback=error.get("traceback"),
        extra={"plugin_id": failed.plugin_id, "generation": failed.generation},
    )


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _serving_words(plugin_id: str) -> str:
    seen = PluginInstance.objects.filter(plugin_id=plugin_id, node=settings.STUDIO_NODE).first()
    if seen is not None and seen.generation is not None:
        return f"Generation {seen.generation} of {plugin_id} is still serving."
    return f"{plugin_id} is not loaded."


@transaction.atomic
def release_revert(*, change: Change, error: dict[str, Any] | None = None) -> None:
    """Go back to what was proven, unless another change came meanwhile."""
    plugin = (
        Plugin.objects.select_for_update(of=("self",)).select_related("desired", "waiting").get(id=change.plugin_id)
    )
    current = plugin.waiting or plugin.desired
    if current is not None and current.generation == change.generation:
        _go_back(plugin, current, error)


def _go_back(plugin: Plugin, failed: PluginRelease, error: dict[str, Any] | None) -> None:
    if error is not None:
        failed.failure = error
        failed.save(update_fields=["failure"])
    abandoned = plugin.waiting  # what was wanted, the plugin host has tried, and told why it failed
    plugin.desired, plugin.waiting = plugin.proven, None
    if failed.id != plugin.proven_id:
        plugin.config, plugin.granted = failed.previous_config, failed.previous_granted
    plugin.save(update_fields=["desired", "waiting", "config", "granted", "updated_at"])
    hint_on_commit(DESIRED_CHANNEL, plugin.id)
    if error is not None and abandoned is not None:
        data = {"generation": abandoned.generation, "error": {k: error.get(k) for k in ("code", "detail")}}
        event_record(event="plugin_failed", plugin_id=plugin.id, data=data)


def releases_settle() -> int:
    """Finish what nobody waited for: prove what serves, take back what failed. For beat."""
    releases_promote()
    open_ids = [
        plugin.id
        for plugin in Plugin.objects.filter(desired__isnull=False) | Plugin.objects.filter(waiting__isnull=False)
        if plugin.waiting_id or plugin.desired_id != plugin.proven_id
    ]
    for plugin_id in open_ids:
        _settle(plugin_id)
    return len(open_ids)


@transaction.atomic
def _settle(plugin_id: str) -> None:
    plugin = Plugin.objects.select_for_update(of=("self",)).select_related("desired", "waiting").get(id=plugin_id)
    release = plugin.waiting or plugin.desired
    if release is None:
        return
    outcome = release_outcome(plugin_id=plugin_id, generation=release.generation)
    if outcome.error is not None:
        _go_back(plugin, release, outcome.error)
    elif outcome.settled and plugin.waiting is None:
        plugin.proven = plugin.desired
        plugin.save(update_fields=["proven"])


def unload_wait(plugin_ids: list[str]) -> bool:
    """Wait until nothing of them serves here, and a moment longer for what is drained quickly."""
    deadline, pause = time.monotonic() + WAIT_SECONDS, _FIRST_PAUSE
    patience = time.monotonic() + 2.0
    while True:
        rows = PluginInstance.objects.filter(plugin_id__in=plugin_ids, node=settings.STUDIO_NODE)
        states = list(rows.values_list("generation", "state"))
        serving = any(generation is not None for generation, _ in states)
        draining = any(state in (PluginState.DRAINING, PluginState.ACTIVE) for _, state in states)
        now = time.monotonic()
        if not serving and (not draining or now > patience):
            return True
        if now >= deadline:
            return False
        release_connection()
        time.sleep(pause)  # as above
        pause = min(pause * 1.5, _LONGEST_PAUSE)
