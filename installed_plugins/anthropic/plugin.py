"""A provider for the Claude models."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import httpx2

from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
from plugins_app.sdk import NotReady, ProviderPlugin, retried_stream
from plugins_app.sdk.upstream import check_address

from .answers import Answer, Thoughts
from .catalogue import Catalogue
from .errors import translated
from .requests import request_for

_CONNECT_SECONDS = 10.0


class Anthropic(ProviderPlugin):
    """Claude, over Anthropic's Messages API."""

    _client: AsyncAnthropic | None = None
    _catalogue: Catalogue

    async def validate_config(self) -> bool:
        """An address that cannot be one is told here, with its field."""
        for field in ("base_url", "proxy"):
            check_address(field, self.get_config(field, ""))
        return True

    async def initialize(self) -> bool:
        """Make the client. Nothing is asked of the API yet: it may be away while the plugin is loaded."""
        timeout = httpx2.Timeout(self.get_config("timeout_s", 300), connect=_CONNECT_SECONDS)
        self._client = AsyncAnthropic(
            api_key=self.get_config("api_key"),
            base_url=self.get_config("base_url"),
            max_retries=0,  # `retried_stream` does it, and never waits for longer than somebody would
            http_client=DefaultAsyncHttpxClient(proxy=self.get_config("proxy") or None, timeout=timeout),
        )
        self._catalogue = Catalogue(self._client, self.config, self.context.logger)
        self._thoughts = Thoughts()
        return True

    async def shutdown(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def get_available_models(self) -> list[dict[str, Any]]:
        """What the API lists; what was known when this was written while it cannot be asked."""
        return await self._catalogue.models()

    async def stream_completion(
        self, messages: list[dict[str, Any]], model: str, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The answer as it comes. Leaving early closes the connection, which ends the generation."""
        defaults = {"max_tokens": self._catalogue.longest_answer(model), **_given(self.config, "reasoning_effort")}
        request = request_for(messages, model, kwargs, defaults, self._thoughts)
        stream = retried_stream(lambda: self._answer(request), retries=self.get_config("max_retries", 2))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _answer(self, request: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        if self._client is None:
            raise NotReady("the plugin is shutting down")
        answer = Answer(request["model"], self._thoughts)
        with translated(self.get_config("api_key"), self.get_config("base_url"), self.get_config("proxy")):
            async with await self._client.messages.create(**request, stream=True) as events:
                async for event in events:
                    for chunk in answer.chunks_of(event):
                        yield chunk
            answer.require_whole()


def _given(config: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: config[name] for name in names if config.get(name)}
