"""Which models there are, what they can do and what they cost."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from logging import Logger
from typing import Any

from anthropic import AsyncAnthropic
from anthropic.types import ModelInfo
from plugins_app.sdk import PluginError

from .errors import translated

__all__ = ["Catalogue", "takes_sampling", "thinks_adaptively"]

_FRESH_SECONDS, _RETRY_SECONDS, _ASK_SECONDS = 3600.0, 60.0, 5.0
_WINDOW, _LONGEST = 200_000, 64_000
_FALLBACK = {
    "claude-opus-5-5": "Claude Opus 5.5",
    "claude-sonnet-5-5": "Claude Sonnet 5.5",
    "claude-haiku-5-5": "Claude Haiku 5.5",
    "claude-opus-4-7": "Claude Opus 4.7",
    "claude-sonnet-4-6": "Claude Sonnet 4.6",
    "claude-haiku-4-5": "Claude Haiku 4.5",
}
#: USD per million tokens, by the beginning of the id, as published; what is newer is not guessed.
_PRICES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("claude-opus-4-5", "claude-opus-4-6", "claude-opus-4-7"), (5.0, 25.0)),
    **dict.fromkeys(("claude-sonnet-4-5", "claude-sonnet-4-6"), (3.0, 15.0)),
    "claude-haiku-4-5": (1.0, 5.0),
}
_VERSION = re.compile(r"claude-(?P<line>[a-z]+)-(?P<major>\d+)(?:-(?P<minor>\d{1,2}))?(?:-|$)")


class Catalogue:
    """The API's list of models, asked once an hour; while it cannot be had, a list of our own."""

    def __init__(self, client: AsyncAnthropic, config: Mapping[str, Any], logger: Logger) -> None:
        self._client, self._config, self._logger = client, config, logger
        self._known: list[dict[str, Any]] = []
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def models(self) -> list[dict[str, Any]]:
        """What is offered, in the studio's shape."""
        async with self._asking:
            if time.monotonic() >= self._good_until:
                await self._ask()
        offered = set(self._config.get("models") or ())
        named = {model["id"] for model in self._known}
        extra = [self._described(name, name) for name in self._config.get("models") or () if name not in named]
        return [model for model in self._known if not offered or model["id"] in offered] + extra

    def longest_answer(self, model: str) -> int:
        """How many tokens an answer may have when nobody says."""
        wanted = int(self._config.get("max_tokens", 8192))
        limit = next((known["max_tokens"] for known in self._known if known["id"] == model), wanted)
        return min(wanted, limit)

    async def _ask(self) -> None:
        address = (self._config["api_key"], self._config["base_url"], self._config.get("proxy", ""))
        try:
            with translated(*address):
                listed = [one async for one in self._client.models.list(limit=1000, timeout=_ASK_SECONDS)]
                self._known = [self._listed(one) for one in listed if one.id]
            self._good_until = time.monotonic() + _FRESH_SECONDS
        except PluginError as error:
            self._logger.warning("the list of models cannot be had: %s", error)
            self._known = self._known or [self._described(*one) for one in _FALLBACK.items()]
            self._good_until = time.monotonic() + _RETRY_SECONDS

    def _listed(self, model: ModelInfo) -> dict[str, Any]:
        described = self._described(model.id, model.display_name or model.id)
        described["context_window"] = model.max_input_tokens or _WINDOW
        described["max_tokens"] = model.max_tokens or _LONGEST
        if can := model.capabilities:
            wanted = {"vision": can.image_input, "json": can.structured_outputs, "reasoning": can.thinking}
            described["capabilities"] = ["tools", *(name for name, each in wanted.items() if each and each.supported)]
        return described

    def _described(self, identity: str, name: str) -> dict[str, Any]:
        described = {
            "id": identity,
            "name": name,
            "description": "",
            "context_window": _WINDOW,
            "max_tokens": _LONGEST,
            "capabilities": ["tools", "vision", "json", "reasoning"],
            "kind": "chat",
        }
        return described | ({"pricing": price} if (price := self._price(identity)) else {})

    def _price(self, identity: str) -> dict[str, float] | None:
        table = {name: {"prompt": prompt, "completion": rest} for name, (prompt, rest) in _PRICES.items()}
        table |= self._config.get("prices") or {}
        fitting = max((name for name in table if identity.startswith(name)), key=len, default=None)
        return dict(table[fitting]) if fitting else None


def takes_sampling(model: str) -> bool:
    """Whether `temperature` and the like may be sent: newer Claude models refuse requests that have them."""
    found = _VERSION.match(model)
    if found is None:
        return not model.startswith("claude-")
    return _number(found) <= ((4, 5) if found["line"] == "haiku" else (4, 6))


def thinks_adaptively(model: str) -> bool:
    """Whether the model decides itself how long to think; older ones are given a budget."""
    found = _VERSION.match(model)
    return found is not None and _number(found) >= (4, 6)


def _number(found: re.Match[str]) -> tuple[int, int]:
    return int(found["major"]), int(found["minor"] or 0)
