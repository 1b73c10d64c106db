"""A provider that runs a small real model in its own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from plugins_app.sdk import ConfigError, NotReady, PluginError, ProviderPlugin

from .engine import Engine, find_weights
from .shapes import clean_chunk, collected, request_for

_MODEL = "smollm2-135m-instruct"
_CONCURRENCY = 8


class LocalLlama(ProviderPlugin):
    """SmolLM2-135M-Instruct by llama.cpp."""

    _engine: Engine | None = None

    async def validate_config(self) -> bool:
        """An answer must fit into the context window."""
        window, answer = self.get_config("context_window", 4096), self.get_config("max_tokens", 512)
        if answer >= window:
            errors = [{"pointer": "/max_tokens", "message": f"must be less than context_window ({window})"}]
            raise ConfigError(f"max_tokens ({answer}) must be less than context_window ({window})", errors)
        return True

    async def initialize(self) -> bool:
        """Load the model now, in a thread: half a second here rather than in somebody's first answer."""
        self._engine = await asyncio.to_thread(
            lambda: Engine(
                weights=find_weights(),
                threads=self.get_config("threads", 1),
                context_window=self.get_config("context_window", 4096),
                concurrency=_CONCURRENCY,
            )
        )
        return True

    async def shutdown(self) -> None:
        """Stop generating and free the memory."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.to_thread(engine.close)

    def get_available_models(self) -> list[dict[str, Any]]:
        """The one model."""
        return [
            {
                "id": _MODEL,
                "name": "SmolLM2 135M Instruct",
                "description": "Small and quick, runs on this machine; knows little, and says it fluently",
                "context_window": self.get_config("context_window", 4096),
                "max_tokens": self.get_config("max_tokens", 512),
            }
        ]

    async def chat_completion(self, messages: list[dict[str, Any]], model: str, **kwargs: Any) -> dict[str, Any]:
        """The whole answer; cancelling stops the generation too."""
        return collected([chunk async for chunk in self.stream_completion(messages, model, **kwargs)])

    async def stream_completion(
        self, messages: list[dict[str, Any]], model: str, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The answer, token by token."""
        if model != _MODEL:
            raise PluginError(f"there is no model {model!r}: this plugin has {_MODEL}")
        if self._engine is None:
            raise NotReady("the model is not loaded")
        defaults = {
            "temperature": self.get_config("temperature", 0.7),
            "repeat_penalty": self.get_config("repeat_penalty", 1.1),
            "max_tokens": self.get_config("max_tokens", 512),
        }
        async with aclosing(self._engine.stream(request_for(messages, kwargs, defaults))) as chunks:
            async for chunk in chunks:
                yield clean_chunk(chunk, model)
