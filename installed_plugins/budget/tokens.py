"""How many tokens an answer took: what the provider says, or a guess by its length."""

from __future__ import annotations

from typing import Any

__all__ = ["estimated", "tokens_of"]

_CHARACTERS_PER_TOKEN = 4


def tokens_of(response: dict[str, Any], prompt: int) -> int:
    """The tokens of a response and its request; `prompt` is the guess for what was asked."""
    usage = response.get("usage") or {}
    total = usage.get("total_tokens")
    if isinstance(total, int | float):
        return int(total)
    parts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    known = [int(part) for part in parts if isinstance(part, int | float)]
    if known:
        return sum(known)
    messages = [choice.get("message") for choice in response.get("choices") or []]
    return prompt + estimated(messages)


def estimated(messages: Any) -> int:
    """About how many tokens these messages are."""
    characters = sum(map(_characters, messages if isinstance(messages, list) else []))
    return -(-characters // _CHARACTERS_PER_TOKEN)


def _characters(value: Any) -> int:
    """Of the texts in it; an image's data is none."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, list):
        return sum(map(_characters, value))
    return sum(map(_characters, value.values())) if isinstance(value, dict) else 0
