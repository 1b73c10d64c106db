"""A provider for Cohere's models."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import httpx

from cohere import AsyncClientV2
from plugins_app.sdk import NotReady, ProviderPlugin, retried, retried_stream
from plugins_app.sdk.upstream import check_address

from .answers import Answer
from .catalogue import Catalogue
from .errors import translated
from .names import Names
from .requests import request_for

_CONNECT_SECONDS = 10.0
_TEXTS_PER_CALL = 96


class Cohere(ProviderPlugin):
    """Command and Embed, over Cohere's API v2."""

    _client: AsyncClientV2 | None = None
    _http: httpx.AsyncClient
    _catalogue: Catalogue

    async def validate_config(self) -> bool:
        """An address that cannot be one is told here, with its field."""
        for field in ("base_url", "proxy"):
            check_address(field, self.get_config(field, ""))
        return True

    async def initialize(self) -> bool:
        """Make the client. Nothing is asked of the API yet: it may be away while the plugin is loaded."""
        timeout = httpx.Timeout(self.get_config("timeout_s", 300), connect=_CONNECT_SECONDS)
        self._http = httpx.AsyncClient(proxy=self.get_config("proxy") or None, timeout=timeout, follow_redirects=True)
        self._client = AsyncClientV2(
            self.get_config("api_key"),
            base_url=self.get_config("base_url"),
            max_retries=0,  # `retried` does it, and never waits for longer than somebody would
            httpx_client=self._http,
        )
        self._catalogue = Catalogue(self._client, self.config, self.context.logger)
        return True

    async def shutdown(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await self._http.aclose()

    async def get_available_models(self) -> list[dict[str, Any]]:
        """What the API lists; what was known when this was written while it cannot be asked."""
        return await self._catalogue.models()

    async def stream_completion(
        self, messages: list[dict[str, Any]], model: str, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The answer as it comes. Leaving early closes the connection, which ends the generation."""
        params = {**kwargs, "reasoning_effort": kwargs.get("reasoning_effort") or self.get_config("reasoning_effort")}
        names = Names(params.get("tools") or ())
        request = request_for(messages, model, params, names, thinks=self._catalogue.thinks(model))
        stream = retried_stream(lambda: self._answer(request, names), retries=self.get_config("max_retries", 2))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, texts: list[str], model: str, **params: Any) -> dict[str, Any]:
        """A vector for each text. `input_type` says what they are for; Cohere's own values."""
        vectors: list[list[float]] = []
        tokens = 0
        for start in range(0, len(texts), _TEXTS_PER_CALL):
            part = texts[start : start + _TEXTS_PER_CALL]
            found, spent = await retried(
                lambda part=part: self._embed(part, model, params), retries=self.get_config("max_retries", 2)
            )
            vectors += found
            tokens += spent
        return {"data": vectors, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}

    async def _embed(self, texts: list[str], model: str, params: Mapping[str, Any]) -> tuple[list[list[float]], int]:
        more = {"output_dimension": params["dimensions"]} if params.get("dimensions") else {}
        kind = params.get("input_type") or "search_document"
        with translated(*self._address):
            answer = await self._open.embed(
                model=model, texts=texts, input_type=kind, embedding_types=["float"], **more
            )
            units = answer.meta.billed_units if answer.meta else None
            return list(answer.embeddings.float_), int(units.input_tokens or 0) if units else 0

    async def _answer(self, request: Mapping[str, Any], names: Names) -> AsyncGenerator[dict[str, Any], None]:
        answer = Answer(request["model"], names)
        with translated(*self._address):
            async with aclosing(self._open.chat_stream(**request)) as events:
                async for event in events:
                    for chunk in answer.chunks_of(event):
                        yield chunk
            answer.require_whole()

    @property
    def _open(self) -> AsyncClientV2:
        if self._client is None:
            raise NotReady("the plugin is shutting down")
        return self._client

    @property
    def _address(self) -> tuple[str, str, str]:
        return self.get_config("api_key"), self.get_config("base_url"), self.get_config("proxy", "")
