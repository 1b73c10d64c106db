"""Which requests have an answer that may be given again, and when two are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["is_cacheable", "key_of"]

# How an answer is delivered and who is named to the provider change nothing about it.
_WITHOUT_MEANING = frozenset({"stream", "stream_options", "user", "metadata", "store", "timeout"})


def is_cacheable(request: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether the configuration lets this request be answered from the cache."""
    params = request.get("params") or {}
    if request.get("purpose", "chat") not in config["purposes"] or params.get("n", 1) != 1 or params.get("logprobs"):
        return False
    if config["only_deterministic"] and params.get("temperature") != 0:
        return False
    if not config["tool_rounds"] and _has_tool_results(request):
        return False
    return any(fnmatchcase(str(request.get("model")), pattern) for pattern in config["models"])


def _has_tool_results(request: Mapping[str, Any]) -> bool:
    return bool(request.get("round")) or any(
        isinstance(message, dict) and message.get("role") in ("tool", "function")
        for message in request.get("messages") or []
    )


def _number(value: Any) -> Any:
    """0.0 is 0: who sends the one means the other."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def key_of(request: Mapping[str, Any], scope: str) -> str:
    """The same for the same question: model, messages, params, and the user where answers are not shared."""
    params = {
        name: _number(value) for name, value in (request.get("params") or {}).items() if name not in _WITHOUT_MEANING
    }
    user = (request.get("user") or {}).get("id") if scope == "user" else "everybody"
    question = {"model": request.get("model"), "messages": request.get("messages"), "params": params, "user": user}
    return hashlib.sha256(json.dumps(question, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
