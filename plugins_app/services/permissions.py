"""What a plugin asks for, written as `kind:value`, and what it was granted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from .errors import StudioError

__all__ = [
    "BUNDLED",
    "check_granted",
    "permissions_asked",
    "permissions_grantable",
    "permissions_missing",
    "permissions_optional",
]

#: Plugins that ship with the studio get what they ask for when they are discovered.
BUNDLED = frozenset(
    {
        "anthropic",
        "budget",
        "calculator",
        "cohere",
        "conversation-outline",
        "conversation-search",
        "csv-export",
        "date-time",
        "docx-export",
        "example-provider",
        "fetch-page",
        "google-gemini",
        "html-export",
        "json-export",
        "local-llama",
        "markdown-export",
        "mcp-bridge",
        "openai-compatible",
        "pdf-export",
        "prompt-guard",
        "prompt-library",
        "python-runner",
        "rate-limit",
        "redact",
        "response-cache",
        "system-prompt",
        "token-meter",
        "tool-inspector",
        "voice-input",
        "web-search",
    }
)


def permissions_asked(metadata: Mapping[str, Any]) -> list[str]:
    """``["network:api.example.com:443", "host:storage", "subprocess"]``; also variables in the defaults."""
    asked = _in_manifest(metadata)
    variables = [f"env:{name}" for name in metadata.get("config_env") or []]
    return [*asked, *(variable for variable in variables if variable not in asked)]


def _in_manifest(metadata: Mapping[str, Any]) -> list[str]:
    asked: list[str] = []
    for kind, wanted in (metadata.get("permissions") or {}).items():
        if kind == "optional":
            continue
        if isinstance(wanted, list):
            asked += [f"{kind}:{value}" for value in wanted]
        elif wanted is True:
            asked.append(kind)
    return asked


def permissions_optional(metadata: Mapping[str, Any]) -> list[str]:
    """What may be granted beyond what is asked for, as patterns: ``["files:*", "network:*"]``.

    For what only the operator can know: the folders of models, the address of a proxy.
    """
    return list((metadata.get("permissions") or {}).get("optional") or [])


def permissions_grantable(metadata: Mapping[str, Any], granted: Iterable[str]) -> list[str]:
    """Those of `granted` that count: what is asked for, in its order, then what fits an optional pattern."""
    have, asked = set(granted), permissions_asked(metadata)
    patterns = permissions_optional(metadata)
    more = [each for each in have.difference(asked) if any(fnmatchcase(each, pattern) for pattern in patterns)]
    return [permission for permission in asked if permission in have] + sorted(more)


def permissions_missing(metadata: Mapping[str, Any], granted: Iterable[str]) -> list[str]:
    """What is asked for and not granted. A variable in the defaults is needed only where nothing else is stored."""
    have = set(granted)
    return [permission for permission in _in_manifest(metadata) if permission not in have]


def check_granted(plugin_id: str, metadata: Mapping[str, Any], granted: Iterable[str]) -> None:
    """Raise `permission_required`, naming each permission and how to grant it."""
    missing = permissions_missing(metadata, granted)
    if missing:
        names = ", ".join(missing)
        quoted = ", ".join(f'"{name}"' for name in missing)
        raise StudioError(
            "permission_required",
            f"{plugin_id} asks for {names}, which nobody has granted.",
            hint=f'Grant it in the admin, or load it with "grant": [{quoted}].',
            errors=[{"pointer": "/grant", "message": f"{name} is not granted"} for name in missing],
        )
