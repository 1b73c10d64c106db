"""What drf-spectacular cannot find out by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

__all__ = ["KeyScheme", "without_trailing_slash"]

Endpoint = tuple[str, str, str, Callable[..., Any]]


class KeyScheme(OpenApiAuthenticationExtension):
    """API keys in the OpenAPI document."""

    target_class = "plugins_app.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


def without_trailing_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Both spellings of a path answer; the document shows the one of the contract."""
    return [(path.rstrip("/"), regex, method, callback) for path, regex, method, callback in endpoints]
