"""What a plugin asks of other plugins and of the studio, read from its metadata; and who depends on whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from django.conf import settings
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from plugins_app.models import Plugin, PluginVersion
from plugins_app.sdk.metadata import SEMVER

from .errors import StudioError

__all__ = [
    "SDK_VERSION",
    "Dependency",
    "as_version",
    "check_compat",
    "compat_problem",
    "dependencies_of",
    "dependency_problems",
    "dependents_of",
    "fits",
    "loaded_versions",
]

SDK_VERSION = "1.0"
_LONGEST = 200
_REQUIREMENT = re.compile(r"\s*([a-z0-9]+(?:[-_][a-z0-9]+)*)\s*(.*?)\s*", re.DOTALL)
_SAME_MAJOR = re.compile(r"(\^?)\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?([-+].+)?")
_EXAMPLE = "write an id and, if need be, a range: 'other-plugin>=1.2,<2'"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One line of a plugin's dependencies."""

    plugin_id: str
    range: str
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.plugin_id} {self.range}".strip()


def dependencies_of(metadata: Mapping[str, Any]) -> list[Dependency]:
    """The plugin's dependencies, the optional ones last."""
    return list(_parsed(metadata, "dependencies", False)) + list(_parsed(metadata, "optional_dependencies", True))


def _parsed(metadata: Mapping[str, Any], key: str, optional: bool) -> Iterator[Dependency]:
    listed = metadata.get(key) or []
    for text in listed if isinstance(listed, list | tuple) else [listed]:
        match = _REQUIREMENT.fullmatch(str(text))
        name, versions = match.groups() if match else (str(text), "")
        yield Dependency(name.replace("_", "-"), versions, optional)


def dependency_problems(metadata: Mapping[str, Any]) -> list[str]:
    """What is wrong with the dependencies and ranges in a plugin's metadata, in words; each names its text."""
    found: list[str] = []
    for key in ("dependencies", "optional_dependencies"):
        listed = metadata.get(key) or []
        if not isinstance(listed, list | tuple):
            found.append(f"{key} is {_quoted(listed)} and must be a list of strings")
            continue
        found += [f"{key} has {_quoted(text)}: {_EXAMPLE}" for text in listed if not _is_requirement(text)]
    for key in ("app", "sdk"):
        wanted = metadata.get(key)
        if wanted and not _is_range(str(wanted)):
            found.append(f"{key} is {_quoted(wanted)} and must be a version range such as '>=1.0,<2'")
    return found


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_requirement(text: Any) -> bool:
    match = _REQUIREMENT.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    return match is not None and len(match[1]) <= 64 and _is_range(match[2])


def _is_range(versions: str) -> bool:
    try:
        _specifiers(versions)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=16384)
def fits(version: str, versions: str) -> bool:
    """Whether a version lies in a range.

    `>=1.2,<2`, `~=1.2`, `==1.*` as Python packages write them; `1.2` means: this or later of the same major version;
    `^1.2` the same, and `^0.2` only 0.2.x, as npm and Cargo have it; `*` or nothing: any.
    """
    try:
        wanted = _specifiers(versions)
        return not str(wanted) or wanted.contains(as_version(version))
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def as_version(text: str) -> Version:
    """A semantic version, comparable. A pre-release with a name nobody knows comes before all the others of its number.

    Raises:
        ValueError: it is none.
    """
    semantic = SEMVER.fullmatch(text)
    if semantic is None:
        return Version(text)
    number, suffix = ".".join(semantic.groups()[:3]), semantic[4]
    try:
        version = Version(text)
    except ValueError:  # what semantic versioning allows after + or -, and Python's versions do not
        return Version(f"{number}.dev0" if suffix else number)
    return Version(f"{number}.dev0") if suffix and not version.is_prerelease else version


@lru_cache(maxsize=4096)
def _specifiers(versions: str) -> SpecifierSet:
    if len(versions) > _LONGEST:
        raise ValueError(f"a range has at most {_LONGEST} characters")
    parts = (part.strip() for part in versions.split(","))
    return SpecifierSet(",".join(_specifier(part) for part in parts if part not in ("", "*")), prereleases=True)


def _specifier(part: str) -> str:
    same_major = _SAME_MAJOR.fullmatch(part)
    if same_major is None:
        return part
    caret, major, minor, patch, suffix = same_major.groups()
    if not caret or int(major) or minor is None:
        above = f"{int(major) + 1}"
    elif int(minor) or patch is None:
        above = f"0.{int(minor) + 1}"
    else:
        above = f"0.0.{int(patch) + 1}"
    lowest = f"{major}.{minor or 0}.{patch or 0}{suffix or ''}"
    return f">={as_version(lowest)},<{above}"


def compat_problem(metadata: Mapping[str, Any]) -> str | None:
    """Which other studio or SDK the plugin is made for; None when it is made for this one."""
    for what, wanted, have in (
        ("app", metadata.get("app"), settings.STUDIO_VERSION),
        ("SDK", metadata.get("sdk"), SDK_VERSION),
    ):
        if wanted and not fits(have, str(wanted)):
            return f"needs {what} {wanted}; this studio has {have}"
    return None


def check_compat(plugin_id: str, metadata: Mapping[str, Any]) -> None:
    """Raise `version_incompatible` when the plugin is made for another studio or SDK."""
    if problem := compat_problem(metadata):
        raise StudioError(
            "version_incompatible",
            f"{plugin_id} {problem}.",
            hint="Use a version of the plugin that is made for this studio, or update the studio.",
        )


def loaded_versions(plugin: Plugin) -> list[PluginVersion]:
    """What serves and what is about to: nothing for a plugin that is not loaded."""
    return [release.version for release in (plugin.desired, plugin.waiting) if release is not None]


def dependents_of(plugin_id: str, plugins: Mapping[str, Plugin]) -> list[str]:
    """The loaded plugins that need this one, directly or through others; each before what it needs itself."""
    needs = {other.id: _needed_ids(other) for other in plugins.values()}
    found: set[str] = set()
    todo = [plugin_id]
    while todo:
        current = todo.pop()
        new = {other for other, needed in needs.items() if current in needed} - found - {plugin_id}
        found |= new
        todo += new
    return _outermost_first({each: needs[each] & found for each in sorted(found)})


def _needed_ids(plugin: Plugin) -> set[str]:
    needed = (need for version in loaded_versions(plugin) for need in dependencies_of(version.metadata))
    return {need.plugin_id for need in needed if not need.optional}


def _outermost_first(graph: Mapping[str, Iterable[str]]) -> list[str]:
    try:
        return list(reversed(list(TopologicalSorter(graph).static_order())))
    except CycleError:  # nothing is loaded in a circle, but what is must still be unloadable
        return list(graph)
