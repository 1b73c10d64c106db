"""The servers of a configuration, and which of them has a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plugins_app.sdk import ConfigError

__all__ = ["Endpoint", "endpoint_of", "endpoints_of"]


@dataclass(slots=True)
class Endpoint:
    """One server. The first of a configuration has no name; its models are called what it calls them."""

    name: str
    base_url: str
    headers: dict[str, str]
    models: list[str] = field(default_factory=list)
    extra_body: dict[str, Any] = field(default_factory=dict)
    #: What was learned about it: (model, parameter it refused).
    refuses: set[tuple[str, str]] = field(default_factory=set)

    @property
    def label(self) -> str:
        """For errors and logs."""
        return f"{self.name} ({self.base_url})" if self.name else self.base_url

    def public_name(self, model: str) -> str:
        """A model of this server as the studio calls it."""
        return f"{self.name}/{model}" if self.name else model


def endpoints_of(config: Mapping[str, Any]) -> list[Endpoint]:
    """All servers, the unnamed one first.

    Raises:
        ConfigError: two have the same name, or a header cannot be sent.
    """
    entries = [{**config, "name": ""}, *config.get("endpoints", ())]
    names = [entry["name"] for entry in entries]
    for index, name in enumerate(names):
        if name in names[:index]:
            pointer = f"/endpoints/{index - 1}/name"
            raise ConfigError(f"two endpoints are called {name}", [{"pointer": pointer, "message": "is taken"}])
    return [_endpoint(entry) for entry in entries]


def _endpoint(entry: Mapping[str, Any]) -> Endpoint:
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if key := str(entry.get("api_key") or "").strip():
        headers["Authorization"] = f"Bearer {key}"
    headers |= {**(entry.get("headers") or {}), **(entry.get("secret_headers") or {})}
    for name, value in headers.items():
        if not name.isascii() or not value.isprintable():
            raise ConfigError(f"the header {name!r} cannot be sent: names are ASCII, values one printable line")
    models, extra = list(entry.get("models") or ()), dict(entry.get("extra_body") or {})
    return Endpoint(entry["name"], str(entry["base_url"]).rstrip("/"), headers, models, extra)


def endpoint_of(model: str, endpoints: list[Endpoint]) -> tuple[Endpoint, str]:
    """Who has this model, and its name there. What stands before a slash and is no endpoint is part of the name."""
    name, slash, rest = model.partition("/")
    if slash and rest:
        for endpoint in endpoints[1:]:
            if endpoint.name == name:
                return endpoint, rest
    return endpoints[0], model
