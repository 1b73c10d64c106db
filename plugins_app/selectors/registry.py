"""Which plugins serve on this node now: what a chat is planned from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from plugins_app.models import Plugin, PluginInstance, PluginVersion
from plugins_app.sdk import PluginType
from plugins_app.services.errors import StudioError
from plugins_app.states import PluginState

__all__ = ["Registry", "RegistryReader", "ServingPlugin"]


@dataclass(frozen=True, slots=True)
class ServingPlugin:
    """One loaded plugin, as it was when it was looked at. `generation` is None while its process restarts."""

    id: str
    type: str
    generation: int | None
    digest: str
    metadata: Mapping[str, Any]

    def limit(self, name: str, default: float) -> float:
        """One of the limits it declares, or `default`."""
        return float((self.metadata.get("limits") or {}).get(name) or default)


@dataclass(frozen=True, slots=True)
class Registry:
    """A consistent look at all plugins of a node.

    `serving` can be called, at the latest when their process has been restarted. `expected` are those and the ones
    that crashed too often: a middleware that is down must not be left out as if it had been unloaded.
    """

    serving: Mapping[str, ServingPlugin]
    expected: Mapping[str, ServingPlugin]
    states: Mapping[str, tuple[str, bool]] = field(default_factory=dict)

    def of_type(self, plugin_type: PluginType) -> list[ServingPlugin]:
        """The plugins of one type that serve now, by id."""
        return [plugin for plugin in self.serving.values() if plugin.type == plugin_type]

    def expected_of_type(self, plugin_type: PluginType) -> list[ServingPlugin]:
        """The plugins of one type that serve or ought to, by id."""
        return [plugin for plugin in self.expected.values() if plugin.type == plugin_type]

    def why_not(self, plugin_id: str) -> StudioError:
        """Why a plugin does not serve, in words and with a status that says whether to come back."""
        if plugin_id not in self.states:
            return StudioError("plugin_not_found", f"There is no plugin {plugin_id!r}.")
        state, desired = self.states[plugin_id]
        if not desired:
            return StudioError("not_loaded", f"The plugin {plugin_id} is not loaded; an operator can load it.")
        if state == PluginState.ERROR:
            detail = f"The plugin {plugin_id} crashed too often and is stopped; its page says why."
            return StudioError("breaker_open", detail, retry_after=10)
        return StudioError("plugin_restarting", f"The plugin {plugin_id} is starting.", retry_after=1)


class RegistryReader:
    """Reads registries and keeps the last one. One per process; safe to use from several threads."""

    def __init__(self, node: str | None = None, max_age: float = 1.0) -> None:
        """A kept registry older than `max_age` seconds is read anew by `current`."""
        self._node = node or settings.STUDIO_NODE
        self._max_age = max_age
        self._metadata: dict[tuple[str, str], dict[str, Any]] = {}
        self._kept: tuple[float, Registry] | None = None

    @property
    def kept(self) -> Registry | None:
        """The last registry if it is fresh enough; no query."""
        if self._kept is None or time.monotonic() - self._kept[0] > self._max_age:
            return None
        return self._kept[1]

    def current(self) -> Registry:
        """A registry that is at most `max_age` old. Queries the database, if need be."""
        return self.kept or self.read()

    def read(self) -> Registry:
        """The registry of this moment: two queries, and one more when a version is seen for the first time."""
        wanted = Plugin.objects.values("id", "desired_id", "desired__generation", "desired__version__digest")
        plugins: list[dict[str, Any]] = [dict(row) for row in wanted]
        columns = ("plugin_id", "state", "generation", "attempted", "digest")
        instances = {row["plugin_id"]: row for row in PluginInstance.objects.filter(node=self._node).values(*columns)}
        self._learn({(row["id"], digest) for row in plugins if (digest := _digest(row, instances.get(row["id"])))})
        serving, expected, states = {}, {}, {}
        for row in plugins:
            instance = instances.get(row["id"])
            states[row["id"]] = (
                instance["state"] if instance else PluginState.AVAILABLE,
                row["desired_id"] is not None,
            )
            plugin = self._plugin(row, instance)
            if plugin is None or instance is None:
                continue
            if plugin.generation is not None or instance["attempted"] >= row["desired__generation"]:
                expected[plugin.id] = plugin
                if instance["state"] != PluginState.ERROR:
                    serving[plugin.id] = plugin
        registry = Registry(serving, expected, states)
        self._kept = (time.monotonic(), registry)
        return registry

    def _plugin(self, row: dict[str, Any], instance: dict[str, Any] | None) -> ServingPlugin | None:
        digest = _digest(row, instance)
        metadata = self._metadata.get((row["id"], digest)) if digest else None
        if digest is None or metadata is None or instance is None:
            return None
        return ServingPlugin(
            row["id"], str(metadata.get("plugin_type") or ""), instance["generation"], digest, metadata
        )

    def _learn(self, wanted: set[tuple[str, str]]) -> None:
        """Fetch the metadata of versions not seen yet (a version never changes), and forget those gone."""
        new = wanted - self._metadata.keys()
        known = {key: value for key, value in self._metadata.items() if key in wanted}
        if new:
            versions = PluginVersion.objects.filter(digest__in={digest for _, digest in new})
            known |= {
                (v["plugin_id"], v["digest"]): v["metadata"] for v in versions.values("plugin_id", "digest", "metadata")
            }
        self._metadata = known


def _digest(row: dict[str, Any], instance: dict[str, Any] | None) -> str | None:
    """What serves, or ought to; None for a plugin that nobody wants loaded."""
    if row["desired_id"] is None or instance is None:
        return None
    return instance["digest"] if instance["generation"] is not None else row["desired__version__digest"]
