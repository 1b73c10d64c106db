"""Whose budget is how large, and what a model costs where nobody else says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["MICRO", "Limits", "cost_by_prices", "limits_of"]

#: Money is added up in millionths of a dollar, in whole numbers: no cent gets lost in rounding.
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens, and millionths of a US dollar; None is any number."""

    tokens: int | None
    money: int | None

    def of(self, unit: str) -> int | None:
        return self.tokens if unit == "tokens" else self.money


def limits_of(config: Mapping[str, Any], username: str | None) -> Limits:
    """The budget of one user, or of everybody together (None)."""
    if username is None:
        return Limits(config.get("tokens_in_all"), _micro(config.get("usd_in_all")))
    for exception in config.get("exceptions") or []:
        if any(fnmatchcase(username, pattern) for pattern in exception["users"]):
            return Limits(exception.get("tokens"), _micro(exception.get("usd")))
    return Limits(config.get("tokens_per_user"), _micro(config.get("usd_per_user")))


def _micro(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * MICRO)


def cost_by_prices(config: Mapping[str, Any], model: str, usage: Mapping[str, Any]) -> float:
    """US dollars by the configured prices; 0 for a model that has none."""
    for price in config.get("prices") or []:
        if fnmatchcase(model, price["models"]):
            prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
            return float(prompt * price["prompt"] + completion * price["completion"]) / MICRO
    return 0.0
