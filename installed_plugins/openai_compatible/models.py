"""What servers say of their models, in the studio's shape. They agree on `id` and on little else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .endpoints import Endpoint

__all__ = ["described", "listed"]

#: Names of models that neither chat nor embed, where a server lists all it has without saying which does what.
_OTHER_KINDS = re.compile(
    r"whisper|transcri|(^|[/-])tts($|-)|dall-e|(^|[/-])image|moderation|realtime|sora|guard|rerank|babbage|davinci"
)
_EMBEDS = re.compile(r"embed|(^|/)(bge|gte|e5|nomic|minilm|all-minilm)[-.]")
_MILLION = 1_000_000


def listed(endpoint: Endpoint, answer: Any) -> list[dict[str, Any]] | None:
    """The models of an answer to `GET /models`; None when it is not one."""
    entries = answer.get("data", answer.get("models")) if isinstance(answer, dict) else answer
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    named = [entry for entry in entries if isinstance(entry.get("id") or entry.get("name"), str)]
    wanted = [entry for entry in named if not _OTHER_KINDS.search(_id(entry).lower())]
    return [_model(endpoint, entry) for entry in sorted(wanted, key=_id)]


def described(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The models that the configuration names."""
    return [_model(endpoint, {"id": name}) for name in endpoint.models]


def _id(entry: Mapping[str, Any]) -> str:
    return str(entry.get("id") or entry["name"])


def _model(endpoint: Endpoint, entry: Mapping[str, Any]) -> dict[str, Any]:
    name = _id(entry)
    label = entry.get("display_name") or entry.get("name") or name
    kind = "embedding" if entry.get("type") == "embedding" or _EMBEDS.search(name.lower()) else "chat"
    model = {
        "id": endpoint.public_name(name),
        "name": f"{label} ({endpoint.name})" if endpoint.name else label,
        "description": str(entry.get("description") or ""),
        "context_window": _first(entry, "context_window", "context_length", "max_context_length", "max_model_len"),
        "max_tokens": _first(entry, "max_completion_tokens", "max_output_tokens", "max_tokens"),
        "kind": kind,
    }
    found = ["embeddings"] if kind == "embedding" else _capabilities(entry)
    pricing = _pricing(entry.get("pricing"))
    return model | ({"capabilities": found} if found else {}) | ({"pricing": pricing} if pricing else {})


def _first(entry: Mapping[str, Any], *names: str) -> int | None:
    top: Any = entry.get("top_provider")
    for source in (entry, top if isinstance(top, dict) else {}):
        for name in names:
            if isinstance(source.get(name), int):
                return int(source[name])
    return None


def _capabilities(entry: Mapping[str, Any]) -> list[str]:
    """What OpenRouter and Mistral say; most servers say nothing, and nothing is claimed for them."""
    parameters = entry.get("supported_parameters") or ()
    architecture, flags = entry.get("architecture") or {}, entry.get("capabilities") or {}
    flags = flags if isinstance(flags, dict) else dict.fromkeys(flags, True)
    vision = "image" in (architecture.get("input_modalities") or ()) if isinstance(architecture, dict) else False
    said = {
        "tools": "tools" in parameters or flags.get("function_calling") or flags.get("tool_use"),
        "vision": vision or flags.get("vision"),
        "json": "response_format" in parameters or "structured_outputs" in parameters,
        "reasoning": "reasoning" in parameters or flags.get("reasoning"),
    }
    return [name for name, has in said.items() if has]


def _pricing(said: Any) -> dict[str, float] | None:
    """USD per million tokens, from OpenRouter's USD per token."""
    try:
        return {name: round(float(said[name]) * _MILLION, 6) for name in ("prompt", "completion")}
    except (KeyError, TypeError, ValueError):
        return None
