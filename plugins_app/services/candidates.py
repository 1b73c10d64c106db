"""What there is to choose from: the versions of each plugin that takes part in a change, read from the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from plugins_app.models import Plugin, PluginVersion

from .dependencies import Dependency, as_version, dependencies_of, fits, loaded_versions
from .resolution import Candidate, Offer, Reason, candidate_of
from .snapshots import snapshot_path

__all__ = ["is_at_hand", "obstacle", "offers_around", "offers_of", "running_version", "target_candidate"]


def running_version(plugin: Plugin) -> PluginVersion | None:
    """What is wanted of a loaded plugin, or about to be."""
    return loaded_versions(plugin)[-1] if loaded_versions(plugin) else None


def target_candidate(plugin: Plugin, version: PluginVersion) -> Candidate:
    """The one version that is asked for; what runs already needs no reason to."""
    running = running_version(plugin)
    return _candidate(plugin, version, running is not None and running.digest == version.digest)


def _candidate(plugin: Plugin, version: PluginVersion, running: bool = False) -> Candidate:
    return candidate_of(plugin.id, version.digest, version.metadata, running=running)


def offers_around(target: Candidate, plugins: Mapping[str, Plugin]) -> dict[str, Offer]:
    """The target, what its candidates may need, the loaded plugins that depend on one of these, and so on."""
    offers: dict[str, Offer] = {}
    new = {target.plugin_id}
    while new:
        offers |= offers_of(new, plugins)
        new = (_asked_by(target, offers, plugins) | _asking_for(offers, plugins)) - offers.keys()
    return offers


def _asked_by(target: Candidate, offers: Mapping[str, Offer], plugins: Mapping[str, Plugin]) -> set[str]:
    candidates = [each for name, offer in offers.items() if name != target.plugin_id for each in offer.candidates]
    needs = (need for each in (target, *candidates) for need in each.needs if need.plugin_id in plugins)
    return {need.plugin_id for need in needs if not need.optional or running_version(plugins[need.plugin_id])}


def _asking_for(offers: Mapping[str, Offer], plugins: Mapping[str, Plugin]) -> set[str]:
    return {
        plugin.id
        for plugin in plugins.values()
        if (running := running_version(plugin)) is not None
        and any(need.plugin_id in offers for need in dependencies_of(running.metadata))
    }


def offers_of(plugin_ids: Iterable[str], plugins: Mapping[str, Plugin]) -> dict[str, Offer]:
    """What there is of each of these plugins, in one query."""
    versions: dict[str, list[PluginVersion]] = {plugin_id: [] for plugin_id in plugin_ids}
    for version in PluginVersion.objects.filter(plugin_id__in=versions).order_by("-created_at", "-id"):
        versions[version.plugin_id].append(version)
    return {plugin_id: _offer(plugins[plugin_id], found, plugins) for plugin_id, found in versions.items()}


def _offer(plugin: Plugin, versions: list[PluginVersion], plugins: Mapping[str, Plugin]) -> Offer:
    running = running_version(plugin)
    if running is not None:
        current = _as_it_runs(_candidate(plugin, running, running=True), plugins)
        others = [each for each in _ordered(plugin, versions) if each.digest != running.digest]
        return Offer((current, *(_candidate(plugin, each) for each in others)), current)
    if plugin.is_removed or (plugin.problem is None and (plugin.missing or plugin.version is None)):
        return Offer()
    candidates = tuple(_candidate(plugin, each) for each in _ordered(plugin, versions))
    return Offer(candidates, reason=obstacle(plugin))


def _as_it_runs(candidate: Candidate, plugins: Mapping[str, Plugin]) -> Candidate:
    """What it lacks already stands in nobody else's way."""
    return replace(candidate, needs=tuple(need for need in candidate.needs if _is_met(need, plugins)))


def _is_met(need: Dependency, plugins: Mapping[str, Plugin]) -> bool:
    other = plugins.get(need.plugin_id)
    running = running_version(other) if other is not None else None
    return need.optional if running is None else fits(str(running.metadata.get("version")), need.range)


def obstacle(plugin: Plugin) -> Reason | None:
    """Why nothing of a plugin that is not loaded can be loaded on behalf of another one."""
    if plugin.problem is not None:
        return Reason(plugin.problem["code"], plugin.problem["detail"], plugin.problem.get("hint", ""))
    default = plugin.version.default_config if plugin.version else {}
    if plugin.config.get("enabled", default.get("enabled")) is False:
        detail = f'{plugin.id} says "enabled": false.'
        return Reason("dependency_disabled", detail, f"Enable {plugin.id} in its configuration, or load it yourself.")
    return None


def _ordered(plugin: Plugin, versions: Iterable[PluginVersion]) -> list[PluginVersion]:
    """What the folder holds now, then the others, the highest first; of one number only the newest."""
    current = plugin.version
    by_number = {current.metadata.get("version"): current} if current else {}
    for version in versions:
        number = version.metadata.get("version")
        if number not in by_number and is_at_hand(version):
            by_number[number] = version
    others = [version for version in by_number.values() if version is not current]
    return [*([current] if current else []), *sorted(others, key=_number, reverse=True)]


def _number(version: PluginVersion) -> tuple[bool, object]:
    try:
        return True, as_version(str(version.metadata.get("version")))
    except ValueError:
        return False, version.digest


def is_at_hand(version: PluginVersion) -> bool:
    """Whether its files can be run: they lie in this node's store, or are packed for every node."""
    return version.shared or snapshot_path(version.plugin_id, version.digest).is_dir()
