"""What an answer cost: its tokens at the model's prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["add_cost", "cost_of"]

_MILLION = 1_000_000


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
    return isinstance(value, int | float) and not isinstance(value, bool)


def add_cost(total: float | None, more: float | None) -> float | None:
    """The cost of two calls together; None while none is known."""
    return total if more is None else round((total or 0.0) + more, 9)
