"""What the operator says of one server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from plugins_app.sdk import ConfigError

__all__ = ["ServerSettings", "read_servers"]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One MCP server. The texts of `env` and `headers` are secrets."""

    name: str
    transport: str = "stdio"
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tools: tuple[str, ...] = ()
    resources: bool = True
    prompts: bool = True
    approval: str = "hinted"
    timeout_s: float = 60.0
    protocol: str = "auto"

    def offers(self, tool: str) -> bool:
        """Whether a tool of this name is wanted."""
        return not self.tools or any(fnmatchcase(tool, pattern) for pattern in self.tools)


def read_servers(config: Mapping[str, Any]) -> list[ServerSettings]:
    """The servers that are enabled.

    Raises:
        ConfigError: two have one name, or one lacks what its transport needs.
    """
    errors: list[dict[str, str]] = []
    found: list[ServerSettings] = []
    for index, entry in enumerate(config.get("servers") or []):
        one = _server(entry)
        if any(one.name == other.name for other in found):
            errors.append({"pointer": f"/servers/{index}/name", "message": f"{one.name} is the name of two servers"})
        needed = "command" if one.transport == "stdio" else "url"
        if not getattr(one, needed).strip():
            message = f"{needed} is needed for {one.transport}"
            errors.append({"pointer": f"/servers/{index}/{needed}", "message": message})
        if entry.get("enabled", True):
            found.append(one)
    if errors:
        raise ConfigError("; ".join(error["message"] for error in errors), errors)
    return found


def _server(entry: Mapping[str, Any]) -> ServerSettings:
    given = {name: value for name, value in entry.items() if name != "enabled"}
    return ServerSettings(**given | {name: tuple(given.get(name) or ()) for name in ("args", "tools")})
