"""Which plugin needs which, as plugins are shown: what is loaded, and what a load would choose."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from plugins_app.models import Plugin
from plugins_app.services.candidates import obstacle, offers_of
from plugins_app.services.dependencies import Dependency, dependencies_of, fits, loaded_versions
from plugins_app.services.errors import StudioError
from plugins_app.services.resolution import Candidate, Offer, candidate_of

__all__ = ["Needs"]


class Needs:
    """Who needs whom among all plugins at one moment. Other versions are only looked for where the first do not fit."""

    def __init__(self, plugins: Mapping[str, Plugin]) -> None:
        self._plugins = plugins
        self._offers: dict[str, Offer] = {}

    def dependencies(self, plugin: Plugin) -> list[dict[str, Any]]:
        """What the plugin asks for, and the version that is loaded or would be."""
        return [self._card(need) for need in dependencies_of(_metadata(plugin))]

    def _card(self, need: Dependency) -> dict[str, Any]:
        choice = self._choice(need)
        idle = need.optional and not (choice and loaded_versions(self._plugins[need.plugin_id]))
        return {
            "id": need.plugin_id,
            "range": need.range,
            "optional": need.optional,
            "satisfied": choice is not None,
            "version": choice.version if choice and not idle else None,
        }

    def dependents(self, plugin_id: str) -> list[str]:
        """Every plugin that names this one, loaded or not."""
        return sorted({other.id for other, _ in self._asking.get(plugin_id, ())})

    def required_by(self, plugin_id: str) -> list[dict[str, Any]]:
        """The loaded plugins that cannot do without this one."""
        return [
            {"id": other.id, "range": need.range, "version": _metadata(other).get("version")}
            for other, need in self._asking.get(plugin_id, ())
            if loaded_versions(other) and not need.optional
        ]

    def obstacle(self, plugin: Plugin) -> StudioError | None:
        """The first thing the plugin needs and cannot have, as far as that can be told one by one."""
        for need in dependencies_of(_metadata(plugin)):
            if need.plugin_id == plugin.id and not need.optional:
                return StudioError("dependency_self", f"{plugin.id} names itself among its dependencies.")
            if not need.optional and self._choice(need) is None:
                return self._why_not(plugin.id, need)
        return None

    @cached_property
    def _asking(self) -> dict[str, list[tuple[Plugin, Dependency]]]:
        """For each plugin that is named somewhere: who names it, and how."""
        found: dict[str, list[tuple[Plugin, Dependency]]] = {}
        for other in self._plugins.values():
            for need in () if other.is_removed else dependencies_of(_metadata(other)):
                found.setdefault(need.plugin_id, []).append((other, need))
        return found

    def _choice(self, need: Dependency) -> Candidate | None:
        found = self._there(need.plugin_id)
        if found is None or (not loaded_versions(found) and obstacle(found) is not None):
            return None
        first = candidate_of(found.id, "", _metadata(found), running=bool(loaded_versions(found)))
        if first.reason is None and fits(first.version, need.range):
            return first
        return next((each for each in self._offer(found).usable if fits(each.version, need.range)), None)

    def _there(self, plugin_id: str) -> Plugin | None:
        found = self._plugins.get(plugin_id)
        if found is None or found.is_removed:
            return None
        usable = loaded_versions(found) or found.problem is not None or (found.version and not found.missing)
        return found if usable else None

    def _offer(self, plugin: Plugin) -> Offer:
        if plugin.id not in self._offers:
            self._offers |= offers_of([plugin.id], self._plugins)
        return self._offers[plugin.id]

    def _why_not(self, plugin_id: str, need: Dependency) -> StudioError:
        found = self._there(need.plugin_id)
        if found is None:
            hint = f"Put {need.plugin_id} into the plugins folder."
            return StudioError("dependency_missing", f"{plugin_id} depends on {need}, which is not there.", hint=hint)
        reason = None if loaded_versions(found) else obstacle(found)
        if reason is None:
            there = ", ".join(dict.fromkeys(each.version for each in self._offer(found).candidates))
            detail = f"{plugin_id} depends on {need}, but {there} is there."
            return StudioError("dependency_incompatible", detail, hint=f"Use a version that lies in {need.range}.")
        if reason.code == "dependency_disabled":
            return StudioError(reason.code, f"{plugin_id} depends on {found.id}, which is disabled.", hint=reason.hint)
        detail = f"{plugin_id} depends on {found.id}, which cannot be loaded: {reason.detail}"
        return StudioError("dependency_failed", detail, hint=reason.hint)


def _metadata(plugin: Plugin) -> dict[str, Any]:
    """What serves, of a loaded plugin; what would, of another one."""
    versions = loaded_versions(plugin)
    return versions[0].metadata if versions else plugin.metadata
