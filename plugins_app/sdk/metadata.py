"""What a plugin says about itself: the same fields whether written in Python or in `plugin.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

__all__ = ["PLUGIN_ID", "SEMVER", "Limits", "PluginMetadata", "PluginType"]

PLUGIN_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: The regular expression of https://semver.org, shortened to what has to be told apart.
SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


class PluginType(StrEnum):
    """What a plugin is for, and with that which methods it has."""

    PROVIDER = "provider"
    TOOL = "tool"
    MIDDLEWARE = "middleware"
    EXPORT = "export"
    UI = "ui"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one plugin process may use. Times are in seconds, memory in MiB.

    `soak_s`: for so long a new generation is on trial; if it dies meanwhile, the one before it comes back.
    """

    memory_mb: int = 512
    init_timeout_s: float = 30
    call_timeout_s: float = 60
    drain_timeout_s: float = 30
    soak_s: float = 30
    concurrency: int = 64


@dataclass(frozen=True)
class PluginMetadata:
    """Who a plugin is and what it needs.

    `dependencies` are plugin ids, each with an optional version range: ``"other-plugin>=1.2,<2"``.
    `config_schema` is JSON Schema, or the short dialect of one entry per field.
    `permissions` maps a kind (network, files, env, subprocess, host) to what is asked for.
    """

    id: str
    name: str
    version: str
    author: str
    description: str
    plugin_type: PluginType
    dependencies: list[str] = field(default_factory=list)
    config_schema: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    homepage: str | None = None
    repository: str | None = None
    license: str = "MIT"
    entry: str | None = None
    app: str | None = None
    sdk: str | None = None
    optional_dependencies: list[str] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)
    requirements_no_deps: list[str] = field(default_factory=list)
    config_version: int = 1
    config_migrations: str | None = None
    permissions: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    middleware: dict[str, Any] = field(default_factory=dict)
    ui: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.plugin_type not in list(PluginType):
            known = ", ".join(PluginType)
            raise ValueError(f"plugin_type {self.plugin_type!r} is not one of {known}")
        object.__setattr__(self, "plugin_type", PluginType(self.plugin_type))

    def to_dict(self) -> dict[str, Any]:
        """The metadata as JSON-like data."""
        return asdict(self) | {"plugin_type": str(self.plugin_type)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PluginMetadata:
        """The inverse of `to_dict`; unknown keys are ignored, so that older studios read newer data."""
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in known})

    def problems(self) -> list[str]:
        """What is wrong with these fields, in words; empty when they are fine."""
        found = []
        if not isinstance(self.id, str) or not PLUGIN_ID.fullmatch(self.id) or len(self.id) > 64:
            found.append(f"id {self.id!r} must be lower-case words joined by '-', at most 64 characters")
        if not isinstance(self.version, str) or not SEMVER.fullmatch(self.version):
            found.append(f"version {self.version!r} is not a semantic version (MAJOR.MINOR.PATCH)")
        if not isinstance(self.name, str) or not self.name.strip():
            found.append("name is empty")
        return found
