"""Which plugins a plugin needs, whether they fit, and in which order they are loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from django.conf import settings
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from plugins_app.models import Plugin

from .errors import StudioError

__all__ = ["SDK_VERSION", "Dependency", "check_compat", "dependencies_of", "dependents_of", "fits", "load_order"]

SDK_VERSION = "1.0"
_REQUIREMENT = re.compile(r"\s*([a-z0-9]+(?:[-_][a-z0-9]+)*)\s*((?:[<>=!~^]|(?<=\s)\d).*)?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dependency:
    """One line of a plugin's dependencies."""

    plugin_id: str
    range: str
    optional: bool


def dependencies_of(metadata: Mapping[str, Any]) -> list[Dependency]:
    """The plugin's dependencies, the optional ones last."""
    return list(_parsed(metadata, "dependencies", False)) + list(_parsed(metadata, "optional_dependencies", True))


def _parsed(metadata: Mapping[str, Any], key: str, optional: bool) -> Iterator[Dependency]:
    for text in metadata.get(key) or []:
        match = _REQUIREMENT.match(str(text))
        name, versions = match.groups() if match else (str(text), "")
        yield Dependency(name.replace("_", "-"), (versions or "").strip(), optional)


def fits(version: str, versions: str) -> bool:
    """Whether a version lies in a range (`>=1.2,<2`; `^1.2` and a bare `1` mean: the same major version)."""
    try:
        return SpecifierSet(_specifier(versions), prereleases=True).contains(Version(version))
    except (InvalidSpecifier, InvalidVersion):
        return False


def _specifier(versions: str) -> str:
    text = versions.strip()
    if text in ("", "*"):
        return ""
    caret = re.fullmatch(r"\^?\s*(\d+)((?:\.\d+)*)", text)
    return f">={caret[1]}{caret[2]},<{int(caret[1]) + 1}" if caret else text


def check_compat(plugin_id: str, metadata: Mapping[str, Any]) -> None:
    """Raise `version_incompatible` when the plugin is made for another studio or SDK."""
    for what, wanted, have in (
        ("app", metadata.get("app"), settings.STUDIO_VERSION),
        ("SDK", metadata.get("sdk"), SDK_VERSION),
    ):
        if wanted and not fits(have, str(wanted)):
            raise StudioError(
                "version_incompatible",
                f"{plugin_id} needs {what} {wanted}; this studio has {have}.",
                hint="Use a version of the plugin that is made for this studio, or update the studio.",
            )


def load_order(plugin_id: str, plugins: Mapping[str, Plugin]) -> list[str]:
    """The plugin and everything it needs, needed ones first. Raises the dependency_* errors."""
    graph: dict[str, set[str]] = {}
    todo = [plugin_id]
    while todo:
        current = todo.pop()
        if current in graph:
            continue
        needed = [d for d in dependencies_of(_metadata(plugins[current])) if _is_needed(current, d, plugins)]
        graph[current] = {d.plugin_id for d in needed}
        todo += graph[current]
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        path = " -> ".join(reversed(error.args[1]))
        detail = f"{plugin_id} cannot be loaded, because its dependencies form a circle: {path}."
        raise StudioError("dependency_cycle", detail, hint="Make one of them optional, or remove it.") from error


def _metadata(plugin: Plugin) -> dict[str, Any]:
    """What runs, for a loaded plugin; what would, for another one."""
    return plugin.desired.version.metadata if plugin.desired else plugin.metadata


def _is_needed(plugin_id: str, dependency: Dependency, plugins: Mapping[str, Plugin]) -> bool:
    found = plugins.get(dependency.plugin_id)
    usable = found is not None and found.version is not None and (found.desired_id or not found.missing)
    if not usable:
        if dependency.optional:
            return False
        wanted = f"{dependency.plugin_id} {dependency.range}".strip()
        raise StudioError(
            "dependency_missing",
            f"{plugin_id} depends on {wanted}, which is not there.",
            hint=f"Put {dependency.plugin_id} into the plugins folder.",
            errors=[{"pointer": "", "message": f"{wanted} is missing"}],
        )
    assert found is not None
    version = str(_metadata(found).get("version"))
    if not fits(version, dependency.range):
        if dependency.optional and not found.desired_id:
            return False
        raise StudioError(
            "dependency_incompatible",
            f"{plugin_id} depends on {dependency.plugin_id} {dependency.range}, but {version} is there.",
            hint=f"Use a version of {dependency.plugin_id} that lies in {dependency.range}.",
        )
    return not dependency.optional


def dependents_of(plugin_id: str, plugins: Mapping[str, Plugin]) -> list[str]:
    """The loaded plugins that need this one, the outermost first."""
    found: list[str] = []
    todo = [plugin_id]
    while todo:
        current = todo.pop()
        for other in plugins.values():
            needs = {d.plugin_id for d in dependencies_of(_metadata(other)) if not d.optional}
            wanted = other.desired_id or other.waiting_id
            if wanted and current in needs and other.id not in found and other.id != plugin_id:
                found.append(other.id)
                todo.append(other.id)
    return list(reversed(found))
