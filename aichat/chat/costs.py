"""What an answer cost: its tokens at the model's prices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["add_cost", "cost_of", "estimated_usage"]

_MILLION = 1_000_000
_CHARACTERS_PER_TOKEN = 4


def cost_of(usage: Mapping[str, Any] | None, pricing: Mapping[str, Any] | None) -> float | None:
    """USD; None when the tokens or the prices are not known. What the provider itself says it cost wins."""
    if not usage:
        return None
    told: Any = usage.get("cost")
    if _is_number(told):
        return float(told)
    if not pricing or not _is_number(pricing.get("prompt")) or not _is_number(pricing.get("completion")):
        return None
    prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    cached = min(prompt, _cached(usage))
    cached_price = pricing["cached_prompt"] if _is_number(pricing.get("cached_prompt")) else pricing["prompt"]
    parts = (prompt - cached) * pricing["prompt"] + cached * cached_price + completion * pricing["completion"]
    return round(parts / _MILLION, 9)


def _cached(usage: Mapping[str, Any]) -> int:
    details = usage.get("prompt_tokens_details")
    found = details.get("cached_tokens") if isinstance(details, Mapping) else None
    return found if isinstance(found, int) else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def add_cost(total: float | None, more: float | None) -> float | None:
    """The cost of two calls together; None while none is known."""
    return total if more is None else round((total or 0.0) + more, 9)


def estimated_usage(messages: list[dict[str, Any]], answer: Mapping[str, Any]) -> dict[str, Any]:
    """About how many tokens these are, by their length, for a call whose provider did not get to count them."""
    prompt, completion = _tokens(messages), _tokens(answer)
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return counts | {"estimated": True}


def _tokens(value: Any) -> int:
    return -(-_characters(value) // _CHARACTERS_PER_TOKEN)


def _characters(value: Any) -> int:
    """Of the texts in it, but for who speaks; an image's data is none."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, Mapping):
        return sum(_characters(one) for name, one in value.items() if name not in ("role", "type", "id"))
    return sum(map(_characters, value)) if isinstance(value, list | tuple) else 0
