"""Which models there are, what they can do and what they cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from logging import Logger
from typing import Any

from cohere import AsyncClientV2
from plugins_app.sdk import PluginError

from .errors import translated

__all__ = ["Catalogue"]

_FRESH_SECONDS, _RETRY_SECONDS, _ASK_SECONDS = 3600.0, 60.0, 5
_WINDOW, _LONGEST = 128_000, 4096
_FEATURES = {"tools": "tools", "vision": "vision", "json_mode": "json", "json_schema": "json", "reasoning": "reasoning"}
#: id: tokens seen, tokens answered, capabilities
_FALLBACK: Mapping[str, tuple[int, int, list[str]]] = {
    "command-a-03-2025": (256_000, 8192, ["tools", "json"]),
    "command-a-reasoning-08-2025": (256_000, 32_768, ["tools", "json", "reasoning"]),
    "command-a-vision-07-2025": (128_000, 8192, ["vision", "json"]),
    "command-r-plus-08-2024": (128_000, 4096, ["tools", "json"]),
    "command-r7b-12-2024": (128_000, 4096, ["tools", "json"]),
    "embed-v4.0": (128_000, 0, ["embeddings"]),
}
#: USD per million tokens, by the beginning of the id, as published.
_PRICES: Mapping[str, tuple[float, float]] = {
    "command-a-03-2025": (2.5, 10.0),
    "command-a-reasoning": (2.5, 10.0),
    "command-a-vision": (2.5, 10.0),
    "command-r-plus-08-2024": (2.5, 10.0),
    "command-r-08-2024": (0.15, 0.6),
    "command-r7b": (0.0375, 0.15),
    "embed-v4": (0.12, 0.0),
    "embed-english-v3": (0.1, 0.0),
    "embed-multilingual-v3": (0.1, 0.0),
}


class Catalogue:
    """The API's list of models, asked once an hour; while it cannot be had, a list of our own."""

    def __init__(self, client: AsyncClientV2, config: Mapping[str, Any], logger: Logger) -> None:
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
        extra = [self._described(name) for name in self._config.get("models") or () if name not in named]
        return [model for model in self._known if not offered or model["id"] in offered] + extra

    def thinks(self, model: str) -> bool:
        """Whether the model can be told how much to think: the others refuse to be."""
        can = next((known["capabilities"] for known in self._known if known["id"] == model), None)
        return "reasoning" in (model if can is None else can)

    async def _ask(self) -> None:
        address = (self._config["api_key"], self._config["base_url"], self._config.get("proxy", ""))
        try:
            with translated(*address):
                options = {"timeout_in_seconds": _ASK_SECONDS}
                listed = (await self._client.models.list(page_size=1000, request_options=options)).models
                wanted = [one for one in listed if {"chat", "embed"} & set(one.endpoints or ())]
                self._known = [self._listed(one) for one in wanted if not one.is_deprecated]
            self._good_until = time.monotonic() + _FRESH_SECONDS
        except PluginError as error:
            self._logger.warning("the list of models cannot be had: %s", error)
            self._known = self._known or [self._described(name) for name in _FALLBACK]
            self._good_until = time.monotonic() + _RETRY_SECONDS

    def _listed(self, model: Any) -> dict[str, Any]:
        described = self._described(model.name)
        if model.context_length:
            described["context_window"] = int(model.context_length)
        if "chat" not in model.endpoints:
            described |= {"kind": "embedding", "capabilities": ["embeddings"], "max_tokens": 0}
        elif model.features is not None:
            known = [_FEATURES[each] for each in model.features if each in _FEATURES]
            described["capabilities"] = list(dict.fromkeys(known))
        return described

    def _described(self, identity: str) -> dict[str, Any]:
        window, longest, can = _FALLBACK.get(identity, (_WINDOW, _LONGEST, ["tools", "json"]))
        described = {
            "id": identity,
            "name": identity,
            "description": "",
            "context_window": window,
            "max_tokens": longest,
            "capabilities": can,
            "kind": "embedding" if "embeddings" in can else "chat",
        }
        return described | ({"pricing": price} if (price := self._price(identity)) else {})

    def _price(self, identity: str) -> dict[str, float] | None:
        table = {name: {"prompt": prompt, "completion": rest} for name, (prompt, rest) in _PRICES.items()}
        table |= self._config.get("prices") or {}
        fitting = max((name for name in table if identity.startswith(name)), key=len, default=None)
        return dict(table[fitting]) if fitting else None
