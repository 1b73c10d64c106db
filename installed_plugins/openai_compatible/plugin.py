"""A provider for every server that speaks OpenAI's wire format. It speaks it itself: this is the hot path."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from plugins_app.sdk import PluginError, ProviderPlugin, UpstreamError

from . import models
from .completions import completion, refused_parameter, request_body
from .endpoints import Endpoint, endpoint_of, endpoints_of
from .failures import Failure, garbage
from .upstream import Upstream

__all__ = ["OpenAICompatible"]

_CHAT, _EMBEDDINGS, _MODELS = "/chat/completions", "/embeddings", "/models"
#: Every web process asks for the list now and then; the servers are asked as often as this.
_LIST_FOR_S = 30.0
_LIST_TIMEOUT_S = 8.0
_DEFAULT_URL = "https://api.openai.com/v1"


class OpenAICompatible(ProviderPlugin):
    """Models behind one or more servers."""

    async def validate_config(self) -> bool:
        """Look at what the schema cannot say."""
        endpoints_of(self.config)
        return True

    async def initialize(self) -> bool:
        """Get ready. No server is asked: one that is down now may be up when somebody wants it."""
        self._endpoints = endpoints_of(self.config)
        self._lists: dict[str, tuple[float, list[dict[str, Any]]]] = {}
        self._upstream = Upstream(self.config)
        return True

    async def shutdown(self) -> None:
        """Close the connections."""
        await self._upstream.close()

    async def get_available_models(self) -> list[dict[str, Any]]:
        """All servers' models; of one that cannot say, what it said before, or what the configuration names."""
        asked = [endpoint for endpoint in self._endpoints if not self._is_unused(endpoint)]
        answers = await asyncio.gather(*map(self._models_of, asked), return_exceptions=True)
        found: list[dict[str, Any]] = []
        errors: list[PluginError] = []
        for endpoint, answer in zip(asked, answers, strict=True):
            if isinstance(answer, PluginError):
                self.context.logger.warning("no list of models: %s", answer)
                errors.append(answer)
                found += self._lists.get(endpoint.name, (0.0, models.described(endpoint)))[1]
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += answer
        if errors and not found:
            raise errors[0]
        return found

    def _is_unused(self, endpoint: Endpoint) -> bool:
        """Whether this is OpenAI, as the base URL says by default, and nobody has given a key for it."""
        is_default = endpoint.base_url == _DEFAULT_URL and "Authorization" not in endpoint.headers
        return is_default and endpoint is self._endpoints[0] and len(self._endpoints) > 1

    async def _models_of(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        since, kept = self._lists.get(endpoint.name, (0.0, []))
        if kept and time.monotonic() - since < _LIST_FOR_S:
            return kept
        try:
            async with asyncio.timeout(_LIST_TIMEOUT_S):
                answer = await self._upstream.get(endpoint, _MODELS)
        except TimeoutError:
            raise UpstreamError(f"{endpoint.label} did not list its models within {_LIST_TIMEOUT_S:g} s") from None
        listed = models.listed(endpoint, answer)
        if listed is None:
            raise garbage(endpoint, str(answer).encode())
        listed = listed or models.described(endpoint)
        self._lists[endpoint.name] = (time.monotonic(), listed)
        return listed

    async def stream_completion(
        self, messages: list[dict[str, Any]], model: str, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The answer in chunks. All that came in one read is yielded without a pause, so it travels in one frame."""
        endpoint, name = endpoint_of(model, self._endpoints)
        while True:
            body, begun = request_body(endpoint, name, messages, kwargs, stream=True), False
            try:
                async with aclosing(self._upstream.batches(endpoint, _CHAT, body)) as batches:
                    async for batch in batches:
                        begun = True
                        for chunk in batch:
                            yield chunk
                return
            except UpstreamError as error:
                if begun or not self._learn(endpoint, name, error, body):
                    raise

    async def chat_completion(self, messages: list[dict[str, Any]], model: str, **kwargs: Any) -> dict[str, Any]:
        """The whole answer at once."""
        endpoint, name = endpoint_of(model, self._endpoints)
        while True:
            body = request_body(endpoint, name, messages, kwargs, stream=False)
            try:
                return completion(endpoint, await self._upstream.post(endpoint, _CHAT, body))
            except Failure as failure:
                raise failure.error from failure
            except UpstreamError as error:
                if not self._learn(endpoint, name, error, body):
                    raise

    @staticmethod
    def _learn(endpoint: Endpoint, model: str, error: UpstreamError, body: dict[str, Any]) -> bool:
        """Remember a parameter that this model refuses; False when that was not it."""
        refused = refused_parameter(error, body)
        if refused is None:
            return False
        endpoint.refuses.add((model, refused))
        return True

    async def embed(self, texts: list[str], model: str, **kwargs: Any) -> dict[str, Any]:
        """A vector for each text: ``{"data": [[...]], "usage": {...}}``."""
        endpoint, name = endpoint_of(model, self._endpoints)
        given = {key: value for key, value in kwargs.items() if value is not None and key != "encoding_format"}
        body = {"model": name, "input": list(texts), "encoding_format": "float", **given}
        answer = await self._upstream.post(endpoint, _EMBEDDINGS, body)
        try:
            rows = sorted(answer["data"], key=lambda row: row.get("index", 0))
            vectors = [[float(number) for number in row["embedding"]] for row in rows]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UpstreamError(f"{endpoint.label} answered with something else than embeddings", 502) from error
        if len(vectors) != len(texts):
            raise UpstreamError(f"{endpoint.label} sent {len(vectors)} embeddings for {len(texts)} texts", 502)
        return {"data": vectors, "usage": answer.get("usage")}
