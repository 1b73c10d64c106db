"""A provider for Google's Gemini models."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from google import genai
from google.genai import types

from plugins_app.sdk import NotReady, ProviderPlugin, retried, retried_stream
from plugins_app.sdk.upstream import check_address

from .answers import Answer, Signatures
from .catalogue import Catalogue
from .connections import Connections
from .errors import translated
from .requests import request_for

_TEXTS_PER_CALL = 100


class GoogleGemini(ProviderPlugin):
    """Gemini, over Google's Gemini API."""

    _client: genai.Client | None = None
    _http: Connections
    _catalogue: Catalogue

    async def validate_config(self) -> bool:
        """An address that cannot be one is told here, with its field."""
        for field in ("base_url", "proxy"):
            check_address(field, self.get_config(field, ""))
        return True

    async def initialize(self) -> bool:
        """Make the client. Nothing is asked of the API yet: it may be away while the plugin is loaded."""
        self._http = Connections(proxy=self.get_config("proxy") or None, follow_redirects=True)
        options = types.HttpOptions(
            base_url=self.get_config("base_url"),
            timeout=int(self.get_config("timeout_s", 300) * 1000),
            httpx_async_client=self._http,
            # The SDK's repeats know nothing of what the API says about waiting: `retried` does.
            retry_options=types.HttpRetryOptions(attempts=1),
        )
        self._client = genai.Client(api_key=self.get_config("api_key"), http_options=options)
        self._catalogue = Catalogue(self._client, self.config, self.context.logger)
        self._signatures = Signatures()
        return True

    async def shutdown(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await self._http.aclose()
            client.close()

    async def get_available_models(self) -> list[dict[str, Any]]:
        """What the API lists; what was known when this was written while it cannot be asked."""
        return await self._catalogue.models()

    async def stream_completion(
        self, messages: list[dict[str, Any]], model: str, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The answer as it comes. Leaving early closes the connection, which ends the generation."""
        params = {**kwargs, "reasoning_effort": kwargs.get("reasoning_effort") or self.get_config("reasoning_effort")}
        request = request_for(messages, model, params, self._signatures)
        stream = retried_stream(lambda: self._answer(request), retries=self.get_config("max_retries", 2))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, texts: list[str], model: str, **params: Any) -> dict[str, Any]:
        """A vector for each text. The API does not count what it reads."""
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _TEXTS_PER_CALL):
            part = texts[start : start + _TEXTS_PER_CALL]
            vectors += await retried(
                lambda part=part: self._embed(part, model, params), retries=self.get_config("max_retries", 2)
            )
        return {"data": vectors, "usage": {"prompt_tokens": 0, "total_tokens": 0}}

    async def _embed(self, texts: list[str], model: str, params: Mapping[str, Any]) -> list[list[float]]:
        config = {"output_dimensionality": params.get("dimensions"), "task_type": params.get("task_type")}
        contents = [types.Content(parts=[types.Part(text=text)]) for text in texts]
        with translated(*self._address):
            answer = await self._open.aio.models.embed_content(model=model, contents=contents, config=config)
            return [list(each.values or ()) for each in answer.embeddings or ()]

    async def _answer(self, request: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        answer = Answer(request["model"], self._signatures)
        with translated(*self._address):
            # The SDK does not close what a reader leaves half-read.
            async with self._http.closing():
                async for part in await self._open.aio.models.generate_content_stream(**request):
                    for chunk in answer.chunks_of(part):
                        yield chunk
            for chunk in answer.end():
                yield chunk

    @property
    def _open(self) -> genai.Client:
        if self._client is None:
            raise NotReady("the plugin is shutting down")
        return self._client

    @property
    def _address(self) -> tuple[str, str, str]:
        return self.get_config("api_key"), self.get_config("base_url"), self.get_config("proxy", "")
