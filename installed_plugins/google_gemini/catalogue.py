"""Which models there are, what they can do and what they cost."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from logging import Logger
from typing import Any

from google import genai
from google.genai import types

from plugins_app.sdk import PluginError

from .errors import translated

__all__ = ["Catalogue", "generation", "thinks"]

_FRESH_SECONDS, _RETRY_SECONDS, _ASK_MS = 3600.0, 60.0, 5_000
_WINDOW, _LONGEST = 1_048_576, 65_536
_FALLBACK = {
    "gemini-3-pro-preview": "Gemini 3 Pro",
    "gemini-2.5-pro": "Gemini 2.5 Pro",
    "gemini-2.5-flash": "Gemini 2.5 Flash",
    "gemini-2.5-flash-lite": "Gemini 2.5 Flash-Lite",
    "gemini-embedding-001": "Gemini Embedding",
}
#: What answers with pictures or sound, or in conversations that are spoken.
_OTHER = re.compile(r"-(tts|image|live|native-audio|audio|computer-use|robotics)\b")
_VERSION = re.compile(r"gemini-(?P<major>\d+)(?:\.(?P<minor>\d+))?-")
#: USD per million tokens, by the beginning of the id, as published for prompts up to 200,000 tokens.
_PRICES: Mapping[str, tuple[float, float]] = {
    "gemini-3-pro": (2.0, 12.0),
    "gemini-2.5-pro": (1.25, 10.0),
    "gemini-2.5-flash": (0.3, 2.5),
    "gemini-2.5-flash-lite": (0.1, 0.4),
    "gemini-embedding-001": (0.15, 0.0),
}


class Catalogue:
    """The API's list of models, asked once an hour; while it cannot be had, a list of our own."""

    def __init__(self, client: genai.Client, config: Mapping[str, Any], logger: Logger) -> None:
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

    async def _ask(self) -> None:
        address = (self._config["api_key"], self._config["base_url"], self._config.get("proxy", ""))
        options: Any = {"page_size": 1000, "query_base": True, "http_options": {"timeout": _ASK_MS}}
        try:
            with translated(*address):
                listed = [one async for one in await self._client.aio.models.list(config=options)]
                self._known = [self._listed(one) for one in listed if _is_offered(one)]
            self._good_until = time.monotonic() + _FRESH_SECONDS
        except PluginError as error:
            self._logger.warning("the list of models cannot be had: %s", error)
            self._known = self._known or [self._described(*one) for one in _FALLBACK.items()]
            self._good_until = time.monotonic() + _RETRY_SECONDS

    def _listed(self, model: types.Model) -> dict[str, Any]:
        identity = (model.name or "").removeprefix("models/")
        described = self._described(identity, model.display_name or identity)
        described["description"] = model.description or ""
        described["context_window"] = model.input_token_limit or _WINDOW
        described["max_tokens"] = model.output_token_limit or _LONGEST
        return described

    def _described(self, identity: str, name: str) -> dict[str, Any]:
        embeds = "embedding" in identity
        can = ["tools", "vision", "json", *(["reasoning"] if thinks(identity) else [])]
        described = {
            "id": identity,
            "name": name,
            "description": "",
            "context_window": 2048 if embeds else _WINDOW,
            "max_tokens": 0 if embeds else _LONGEST,
            "capabilities": ["embeddings"] if embeds else can,
            "kind": "embedding" if embeds else "chat",
        }
        return described | ({"pricing": price} if (price := self._price(identity)) else {})

    def _price(self, identity: str) -> dict[str, float] | None:
        table = {name: {"prompt": prompt, "completion": rest} for name, (prompt, rest) in _PRICES.items()}
        table |= self._config.get("prices") or {}
        fitting = max((name for name in table if identity.startswith(name)), key=len, default=None)
        return dict(table[fitting]) if fitting else None


def _is_offered(model: types.Model) -> bool:
    does = set(model.supported_actions or ())
    return bool(model.name and does & {"generateContent", "embedContent"} and not _OTHER.search(model.name))


def generation(model: str) -> tuple[int, int]:
    """Gemini's version by the model's name; what has none there (`gemini-flash-latest`) is the newest."""
    found = _VERSION.match(model)
    if found is not None:
        return int(found["major"]), int(found["minor"] or 0)
    return (99, 0) if model.startswith("gemini-") and "embedding" not in model else (0, 0)


def thinks(model: str) -> bool:
    """Whether the model thinks: the others refuse to be told how."""
    return generation(model) >= (2, 5)
