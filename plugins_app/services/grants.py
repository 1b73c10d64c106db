"""What a plugin may ask of the studio: looked up once in a few seconds, not for each of its requests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from plugins_app.models import Plugin, PluginRelease

from .connections import patiently
from .dependencies import dependencies_of

__all__ = ["GrantReader", "Grants", "grant_reader"]

_MAX_AGE_S = 2.0


@dataclass(frozen=True, slots=True)
class Grants:
    """Of one release: its permissions, as kind:value, and the plugins it may call because it depends on them."""

    permissions: frozenset[str] = frozenset()
    dependencies: frozenset[str] = frozenset()


class GrantReader:
    """Remembers one plugin's grants for a moment; safe to use from several threads.

    What is granted is looked up for the release that is wanted, whatever generation the process says it is. A new
    generation is looked up at once, so a permission holds with the swap that brings it; one that was taken away ends
    a moment later for the process it was taken from.
    """

    def __init__(self, max_age: float = _MAX_AGE_S) -> None:
        self._max_age = max_age
        self._kept: dict[str, tuple[int, float, Grants]] = {}

    def kept(self, plugin_id: str, generation: int) -> Grants | None:
        """What was granted when it was last looked up, if that is not long ago; no query."""
        known = self._kept.get(plugin_id)
        if known is None or known[0] != generation or time.monotonic() - known[1] > self._max_age:
            return None
        return known[2]

    def read(self, plugin_id: str, generation: int, *, patience: float) -> Grants:
        """What is granted now."""
        began = time.monotonic()
        release = patiently(lambda: _release(plugin_id), seconds=patience)
        grants = _grants(release) if release is not None else Grants()
        self._kept[plugin_id] = (generation, began, grants)
        return grants


@cache
def grant_reader() -> GrantReader:
    """This process's."""
    return GrantReader()


def _grants(release: PluginRelease) -> Grants:
    metadata: Mapping[str, Any] = release.version.metadata
    return Grants(frozenset(release.granted), frozenset(need.plugin_id for need in dependencies_of(metadata)))


def _release(plugin_id: str) -> PluginRelease | None:
    """What is wanted of the plugin; while one that is unloaded finishes its calls, what was wanted last."""
    plugin = Plugin.objects.select_related("desired__version").filter(id=plugin_id).first()
    if plugin is None or plugin.desired is not None:
        return plugin.desired if plugin else None
    return plugin.releases.select_related("version").order_by("-generation").first()
