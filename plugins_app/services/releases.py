"""Changing what is wanted, and finding out what became of it.

A change makes an immutable `PluginRelease` and points `Plugin.desired` at it. The plugin host makes it so and writes
what it saw. When a release does not get ready, or does not survive its trial, `desired` goes back to `proven`: the host
sees what runs already. A release is proven when it has passed its trial, or when it serves while the next change comes.
Releases of one batch were asked for together, and go back together.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from plugins_app.models import Plugin, PluginEnvironment, PluginInstance, PluginRelease, PluginState, PluginVersion

from .connections import release_connection
from .dependencies import dependencies_of
from .environments import environment_key, environment_problem, environment_row
from .errors import StudioError
from .events import event_record
from .hints import DESIRED_CHANNEL, hint_on_commit
from .revisions import revision_undo

__all__ = [
    "Change",
    "Ground",
    "release_commit",
    "release_create",
    "release_ground",
    "release_outcome",
    "releases_promote",
    "releases_revert",
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
    config_version: int
    granted: list[str]


def release_ground(plugin: Plugin) -> Ground:
    """Where a change of the plugin, as it is now, would go back to. What serves is proven first: it may be new."""
    if plugin.desired is not None and plugin.desired_id != plugin.proven_id and _serves(plugin.desired):
        plugin.proven = plugin.desired
        PluginRelease.objects.filter(id=plugin.desired.id, committed_at=None).update(committed_at=timezone.now())
    current = plugin.waiting or plugin.desired
    if current is not None and current.id != plugin.proven_id:
        return Ground(current.previous_config, current.previous_config_version, current.previous_granted)
    return Ground(dict(plugin.config), plugin.config_version, list(plugin.granted))


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
        previous_config_version=ground.config_version,
        previous_granted=ground.granted,
        cause=cause,
        created_by=user,
        batch=batch,
        explanation=explanation or [],
    )
    plugin.waiting = release
    plugin.save(update_fields=["generation", "waiting", "proven", "config", "config_version", "granted", "updated_at"])
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
    """A batch starts together: half of it may not fit to what runs."""
    release = plugin.waiting
    assert release is not None
    batch = Q(waiting__batch=release.batch) if release.batch else Q(id=plugin.id)
    together = Plugin.objects.filter(batch, waiting__isnull=False).select_related("waiting__version")
    if not all(_has_environment(each.waiting) for each in together if each.waiting is not None):
        return False
    needed = [d.plugin_id for d in dependencies_of(release.version.metadata) if not d.optional]
    return not Plugin.objects.filter(id__in=needed, desired__isnull=True).exists()


def _has_environment(release: PluginRelease) -> bool:
    key, ready = environment_key(release.version.metadata), PluginEnvironment.Status.READY
    here = PluginEnvironment.objects.filter(key=key, node=settings.STUDIO_NODE, status=ready)
    return key is None or here.exists()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a release: `error` None and `settled` means that it got ready.

    `rejected` means that it never will: it did not get ready, or did not survive its trial.
    """

    settled: bool
    error: dict[str, Any] | None = None
    rejected: bool = False


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
            return Outcome(settled=True, error=release.failure, rejected=True)
        superseded = {"code": "superseded", "detail": f"{plugin_id} was unloaded or changed back meanwhile."}
        return Outcome(settled=True, error=(seen.error if seen else None) or superseded)
    return _seen_outcome(seen, generation)


def _seen_outcome(seen: PluginInstance | None, generation: int) -> Outcome:
    """What the host says of a release that is wanted and does not serve."""
    if seen is None or seen.attempted < generation:
        return Outcome(settled=False)
    if seen.error is None:  # it got ready, and is starting again
        return Outcome(settled=False)
    return Outcome(settled=True, error=seen.error, rejected=seen.error.get("generation") == generation)


def _environment_outcome(release: PluginRelease) -> Outcome:
    row = environment_row(environment_key(release.version.metadata))
    error = environment_problem(release.plugin_id, row)
    return Outcome(settled=error is not None, error=error, rejected=error is not None)


def releases_wait(changes: list[Change], needed: Sequence[Change] = ()) -> bool:
    """Wait until each of them serves; False when the time is up first (the change goes on by itself).

    `needed` are somebody else's changes that these depend on: waited for as well, but not taken back.

    Raises:
        StudioError: one failed; all of `changes` have been taken back.
    """
    deadline, pause = time.monotonic() + WAIT_SECONDS, _FIRST_PAUSE
    left = [*needed, *changes]
    while left := _unsettled(left, changes):
        if time.monotonic() >= deadline:
            return False
        release_connection()
        time.sleep(pause)  # the host answers through the database; nothing else can be waited on
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True


def _unsettled(left: list[Change], changes: list[Change]) -> list[Change]:
    """Those that are still under way; the first failure ends it for all."""
    still = []
    for change in left:
        outcome = release_outcome(plugin_id=change.plugin_id, generation=change.generation)
        if outcome.error is not None:
            _give_up(changes, change, outcome.error)
        if not outcome.settled:
            still.append(change)
    return still


def _serves(release: PluginRelease) -> bool:
    here = PluginInstance.objects.filter(plugin_id=release.plugin_id, node=settings.STUDIO_NODE)
    return here.filter(generation=release.generation).exists()


def _give_up(changes: list[Change], failed: Change, error: dict[str, Any]) -> None:
    """Take back every change that was waited for and say why the failed one failed."""
    releases_revert(changes=changes, failed=failed, error=error)
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
def releases_revert(*, changes: list[Change], failed: Change, error: dict[str, Any]) -> None:
    """Go back to what was proven, where no other change came meanwhile. All at once: half of it would not fit."""
    wanted = {change.plugin_id: change.generation for change in changes}
    rows = Plugin.objects.select_for_update(of=("self",)).select_related("desired", "waiting")
    for plugin in reversed(rows.filter(id__in=wanted).order_by("id")):
        current = plugin.waiting or plugin.desired
        if current is not None and current.generation == wanted[plugin.id]:
            reason = error if plugin.id == failed.plugin_id else _taken_along(failed.plugin_id, error)
            _go_back(plugin, current, reason, tell=plugin.id == failed.plugin_id)


def _taken_along(plugin_id: str, error: dict[str, Any]) -> dict[str, Any]:
    """Why a release went back that was asked for together with the one that failed."""
    detail = f"it was asked for together with {plugin_id}, which failed: {error.get('detail') or error.get('code')}"
    return {"code": "dependency_failed", "detail": detail, "dependency": plugin_id, "recoverable": True}


def _go_back(plugin: Plugin, failed: PluginRelease, error: dict[str, Any], *, tell: bool) -> None:
    failed.failure = error
    failed.save(update_fields=["failure"])
    abandoned = plugin.waiting  # what was wanted, the plugin host has tried, and told why it failed
    plugin.desired, plugin.waiting = plugin.proven, None
    if failed.id != plugin.proven_id:
        plugin.config, plugin.granted = failed.previous_config, failed.previous_granted
        plugin.config_version = failed.previous_config_version
    plugin.save(update_fields=["desired", "waiting", "config", "config_version", "granted", "updated_at"])
    revision_undo(plugin)
    hint_on_commit(DESIRED_CHANNEL, plugin.id)
    if tell and abandoned is not None:
        data = {"generation": abandoned.generation, "code": error.get("code"), "detail": error.get("detail")}
        event_record(event="plugin_failed", plugin_id=plugin.id, data=data)


def releases_settle() -> int:
    """Finish what nobody waited for: prove what has passed its trial, take back what failed. For beat."""
    releases_promote()
    changed = Q(waiting__isnull=False) | Q(desired__isnull=False) & (Q(proven=None) | ~Q(proven=F("desired")))
    open_ids = list(Plugin.objects.filter(changed).values_list("id", flat=True))
    for plugin_id in open_ids:
        _settle(plugin_id)
    return len(open_ids)


def _settle(plugin_id: str) -> None:
    plugin = Plugin.objects.select_related("desired", "waiting").get(id=plugin_id)
    release = plugin.waiting or plugin.desired
    if release is None:
        return
    error = _rejection(release)
    if error is not None:
        failed = Change(plugin_id, release.generation)
        releases_revert(changes=_batch(release), failed=failed, error=error)
    elif plugin.waiting is None:
        release_commit(release=release)


def _rejection(release: PluginRelease) -> dict[str, Any] | None:
    """Why a release has to go back: it did not get ready here, or some node has rolled it back after a trial."""
    outcome = release_outcome(plugin_id=release.plugin_id, generation=release.generation)
    if outcome.rejected:
        return outcome.error
    for seen in PluginInstance.objects.filter(plugin_id=release.plugin_id, error__isnull=False):
        error = seen.error or {}
        if error.get("code") == "soak_failed" and error.get("generation") == release.generation:
            return {**error, "node": seen.node}
    return None


def _batch(release: PluginRelease) -> list[Change]:
    together = PluginRelease.objects.filter(batch=release.batch) if release.batch else [release]
    return [Change(each.plugin_id, each.generation) for each in together]


@transaction.atomic
def release_commit(*, release: PluginRelease) -> bool:
    """A release that has passed its trial on some node is what later failures go back to."""
    passed = PluginInstance.objects.filter(plugin_id=release.plugin_id, committed__gte=release.generation)
    if not passed.exists():
        return False
    if not Plugin.objects.filter(id=release.plugin_id, desired=release).update(proven=release):
        return False
    PluginRelease.objects.filter(id=release.id, committed_at=None).update(committed_at=timezone.now())
    return True


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
