"""What the host reads and writes, as an interface: the database behind it is `plugins_app.services.hosting`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

__all__ = ["HostPaths", "Observed", "Store", "Wanted"]


@dataclass(frozen=True, slots=True)
class HostPaths:
    """Where a node keeps what it runs: sockets, snapshots, environments, working directories."""

    run: Path
    store: Path
    envs: Path
    work: Path

    def plugin(self, plugin_id: str) -> Path:
        """The directory of one plugin's sockets."""
        return self.run / "plugins" / plugin_id


@dataclass(frozen=True, slots=True)
class Wanted:
    """The release of one plugin that should be serving. `config` and `secrets` hold plain secrets: never log them.

    `requires` are generations of other plugins without which this one must not start: they were asked for together.
    `soak` is for how many seconds it is on trial, and `fallback` the release to serve instead if it does not survive.
    """

    plugin_id: str
    folder: str
    generation: int
    digest: str
    metadata: Mapping[str, Any]
    config: Mapping[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False, kw_only=True)
    granted: tuple[str, ...] = ()
    environment: str | None = None
    dependencies: tuple[str, ...] = ()
    problem: Mapping[str, Any] | None = None
    requires: Mapping[str, int] = field(default_factory=dict)
    soak: float = 0.0
    fallback: Wanted | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """One plugin on this node, as the host sees it; the fields of a `PluginInstance` row."""

    state: str = "available"
    generation: int | None = None
    attempted: int = 0
    committed: int | None = None
    digest: str | None = None
    pid: int | None = None
    message: str = ""
    error: Mapping[str, Any] | None = None
    started_at: float | None = None
    restarts: int = 0
    rss_bytes: int | None = None
    calls: int = 0
    errors: int = 0


class Store(Protocol):
    """The source of truth."""

    async def wanted(self) -> dict[str, Wanted]:
        """Every plugin that should be serving, by id. Raises ConnectionError when the truth cannot be reached."""

    async def observed(self) -> dict[str, Observed]:
        """What this node reported last."""

    async def observe(self, plugin_id: str, observed: Observed) -> None:
        """Report one plugin. Retried by the host when it fails."""

    async def event(self, event: str, plugin_id: str, data: Mapping[str, Any]) -> None:
        """Record what happened."""

    async def heartbeat(self, sandbox: Mapping[str, Any]) -> bool:
        """Report that this host is alive, and which protections hold here. False: this node was not known."""

    async def prepare(self, wanted: Wanted) -> Mapping[str, Any] | None:
        """Bring the files and packages of a release to this node. Returns the problem (`code`, `detail`, `hint`)."""
