"""Deciding what a change of one plugin means for the others, and telling it beforehand: nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from plugins_app.models import Plugin, PluginState, PluginVersion

from .candidates import is_at_hand, offers_around, running_version, target_candidate
from .changes import all_plugins, find_plugin, is_same, require_loadable, usable_version
from .dependencies import dependencies_of, dependents_of, loaded_versions
from .errors import StudioError
from .explaining import because, broken_dependents, explanation, refusal
from .resolution import Candidate, Conflict, CycleFound, Offer, Resolution, resolve

__all__ = [
    "Plan",
    "Step",
    "because_of",
    "decide",
    "dependents_error",
    "has_failed",
    "not_loaded",
    "plugin_plan",
    "unload_rows",
    "version_to_load",
]

_SHORTEST_DIGEST = 8


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one plugin: `load`, `swap` or `keep`."""

    plugin: Plugin
    version: PluginVersion
    action: str
    because: list[dict[str, Any]]

    def row(self) -> dict[str, Any]:
        """The step as the API tells it."""
        return {
            "id": self.plugin.id,
            "action": self.action,
            "from": _facts(running_version(self.plugin)),
            "to": _facts(self.version),
            "because": self.because,
        }


def _facts(version: PluginVersion | None) -> dict[str, Any] | None:
    return {"version": version.metadata.get("version"), "digest": version.digest} if version else None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole change, needed plugins first. `required`: what has to serve before the target can."""

    steps: list[Step]
    explanation: list[dict[str, Any]]
    required: frozenset[str]

    def rows(self) -> list[dict[str, Any]]:
        """The steps as the API tells them; told before they are carried out."""
        return [step.row() for step in self.steps]


def version_to_load(plugin: Plugin, digest: str | None = None) -> PluginVersion:
    """The version that is asked for by its digest, or what runs, or what the folder holds."""
    if digest is not None:
        return _version_of(plugin, digest)
    return running_version(plugin) or usable_version(plugin)


def _version_of(plugin: Plugin, digest: str) -> PluginVersion:
    found = list(plugin.versions.filter(digest__startswith=digest)) if len(digest) >= _SHORTEST_DIGEST else []
    if len(found) != 1 or not is_at_hand(found[0]):
        detail = f"{plugin.id} has no version {digest}, or not only one, or its files are gone."
        hint = f"GET /api/plugins/{plugin.id}/versions lists them; give at least {_SHORTEST_DIGEST} characters."
        raise StudioError("version_not_found", detail, hint=hint)
    return found[0]


def decide(plugin: Plugin, version: PluginVersion, plugins: Mapping[str, Plugin], *, changes: bool) -> Plan:
    """What it takes to have this version of the plugin. `changes` False: it runs already, and stays as it is.

    Raises:
        StudioError: it cannot be had; the dependency_* errors say why, with the path and the explanation.
    """
    target = target_candidate(plugin, version)
    if target.reason is not None:
        reason = target.reason
        extra = {"path": [plugin.id, plugin.id]} if reason.code == "dependency_self" else {}
        raise StudioError(reason.code, reason.detail, hint=reason.hint, extra=extra)
    offers = offers_around(target, plugins)
    if (error := broken_dependents(target, offers)) is not None:
        raise error
    try:
        found = resolve(target, offers)
    except (Conflict, CycleFound) as conflict:
        raise refusal(target, offers, conflict) from conflict
    return Plan(_steps(found, offers, plugins, changes), explanation(found, offers), found.required)


def _steps(found: Resolution, offers: Mapping[str, Offer], plugins: Mapping[str, Plugin], changes: bool) -> list[Step]:
    actions = {each.plugin_id: _action(each, found, plugins[each.plugin_id], changes) for each in found.order}
    changed = {plugin_id for plugin_id, action in actions.items() if action != "keep"}
    steps = []
    for each in found.order:
        is_target = each.plugin_id == found.target.plugin_id
        why = [] if is_target else because(each, found, offers, changed)
        if is_target or why or each.plugin_id in changed | found.required:
            version = _row_of(plugins[each.plugin_id], each)
            steps.append(Step(plugins[each.plugin_id], version, actions[each.plugin_id], why))
    return steps


def _action(candidate: Candidate, found: Resolution, plugin: Plugin, changes: bool) -> str:
    running = running_version(plugin)
    if running is None:
        return "load"
    if candidate is found.target:
        return "swap" if changes else "keep"
    again = candidate.plugin_id in found.required and has_failed(plugin)
    return "swap" if again or running.digest != candidate.digest else "keep"


def _row_of(plugin: Plugin, candidate: Candidate) -> PluginVersion:
    known = (*loaded_versions(plugin), plugin.version)
    same = next((each for each in known if each is not None and each.digest == candidate.digest), None)
    return same or plugin.versions.get(digest=candidate.digest)


def has_failed(plugin: Plugin) -> bool:
    """Whether it was serving and is not any more: loading it again then means to try again."""
    here = plugin.instances.filter(node=settings.STUDIO_NODE, state=PluginState.ERROR, generation=None)
    return plugin.desired_id is not None and plugin.desired_id == plugin.proven_id and here.exists()


def because_of(plugin_id: str, step: Step, error: StudioError) -> StudioError:
    """The error of a plugin that has to go along with another one."""
    what = "depends on" if step.action == "load" else "needs another version of"
    detail = f"{plugin_id} {what} {step.plugin.id}, which cannot be loaded: {error.detail}"
    extra = {"dependency": step.plugin.id, "cause": error.code, "path": [plugin_id, step.plugin.id]}
    return StudioError("dependency_failed", detail, hint=error.hint, errors=error.errors, extra=extra)


def not_loaded(plugin_id: str) -> StudioError:
    return StudioError("not_loaded", f"{plugin_id} is not loaded.", hint="Load it first.")


def dependents_error(plugin_id: str, dependents: list[str]) -> StudioError:
    names = ", ".join(dependents)
    return StudioError(
        "dependents_loaded",
        f"{names} depend(s) on {plugin_id} and would stop working.",
        hint='Unload them first, or unload with "cascade": true.',
        extra={"dependents": dependents},
    )


def unload_rows(order: list[str], plugins: Mapping[str, Plugin]) -> list[dict[str, Any]]:
    """What an unload does, dependents first."""
    return [
        {
            "id": plugin_id,
            "action": "unload",
            "from": _facts(running_version(plugins[plugin_id])),
            "to": None,
            "because": _leaning(plugins[plugin_id], order, plugins),
        }
        for plugin_id in order
    ]


def _leaning(plugin: Plugin, order: list[str], plugins: Mapping[str, Plugin]) -> list[dict[str, Any]]:
    needed = [
        (need, running_version(plugins[need.plugin_id]))
        for version in loaded_versions(plugin)[-1:]
        for need in dependencies_of(version.metadata)
        if need.plugin_id in order and not need.optional
    ]
    return [
        {"id": need.plugin_id, "range": need.range, "version": running and running.metadata.get("version")}
        for need, running in needed
    ]


# telling it beforehand


def plugin_plan(*, plugin_id: str, action: str, cascade: bool = False, digest: str | None = None) -> dict[str, Any]:
    """What a load, reload or unload would do now, or why it would be refused.

    Raises:
        StudioError: `plugin_not_found`; what else is wrong is part of the answer.
    """
    find_plugin(plugin_id, force=action == "reload")
    plugins = all_plugins()
    told: dict[str, Any] = {"action": action, "possible": True, "problem": None, "changes": [], "explanation": []}
    try:
        if action == "unload":
            _tell_unload(plugins[plugin_id], plugins, cascade, told)
        else:
            _tell_load(plugins[plugin_id], plugins, action, digest, told)
    except StudioError as error:
        told["explanation"] = error.extra.pop("explanation", told["explanation"])
        problem = {"code": error.code, "title": error.title, "detail": error.detail, "hint": error.hint}
        told |= {"possible": False, "problem": problem | error.extra}
    return told


def _tell_unload(plugin: Plugin, plugins: Mapping[str, Plugin], cascade: bool, told: dict[str, Any]) -> None:
    dependents = dependents_of(plugin.id, plugins)
    if loaded_versions(plugin):
        told["changes"] = unload_rows([*dependents, plugin.id], plugins)
    if told["changes"] and dependents and not cascade:
        raise dependents_error(plugin.id, dependents)


def _tell_load(
    plugin: Plugin, plugins: Mapping[str, Plugin], action: str, digest: str | None, told: dict[str, Any]
) -> None:
    running = plugin.waiting or plugin.desired
    if action == "reload" and running is None:
        raise not_loaded(plugin.id)
    version = usable_version(plugin) if action == "reload" else version_to_load(plugin, digest)
    same = running is not None and running.version_id == version.id and is_same(running, version, plugin)
    plan = decide(plugin, version, plugins, changes=action == "reload" or not same or has_failed(plugin))
    told |= {"changes": plan.rows(), "explanation": plan.explanation}
    for step in plan.steps:
        if step.action != "keep":
            _check(plugin.id, step)


def _check(plugin_id: str, step: Step) -> None:
    try:
        require_loadable(step.plugin, step.version)
    except StudioError as error:
        raise error if step.plugin.id == plugin_id else because_of(plugin_id, step, error) from error
