"""Asking a search engine over HTTP: with limits, repeats for what passes, and errors that say what to do."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from plugins_app.sdk import AuthFailed, DeadlineExceeded, NotReady, UpstreamError

__all__ = ["Answer", "Asker", "Request"]

_SIZE_LIMIT = 4 * 1024 * 1024
_LONGEST_WAIT_S = 20.0
_REDIRECTS = 3
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every address, and with it what people look for


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked."""

    engine: str
    method: str
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What it says."""

    status: int
    text: str
    headers: Mapping[str, str]


class Asker:
    """One connection pool, and the patience it is used with."""

    def __init__(self, *, timeout_s: float, max_retries: int, proxy: str | None) -> None:
        self._timeout_s, self._max_retries = timeout_s, max_retries
        self._client = httpx.AsyncClient(
            proxy=proxy or None, trust_env=False, timeout=timeout_s, follow_redirects=True, max_redirects=_REDIRECTS
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def ask(self, request: Request) -> Answer:
        """The answer, if it is one.

        Raises:
            AuthFailed: the key is missing or wrong.
            NotReady: too many searches for now.
            UpstreamError: it failed, or says nothing that makes sense.
            DeadlineExceeded: no answer in time.
        """
        for attempt in range(self._max_retries + 1):
            is_last = attempt == self._max_retries
            try:
                answer = await self._once(request)
            except (httpx.TimeoutException, TimeoutError) as error:
                if is_last:
                    raise DeadlineExceeded(f"{request.engine} did not answer in {self._timeout_s:g} s") from error
            except httpx.HTTPError as error:
                if is_last or not isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
                    raise UpstreamError(f"{request.engine} cannot be reached: {_words(error)}") from error
            else:
                if is_last or not (answer.status == 429 or answer.status >= 500):
                    return _checked(request, answer)
                await asyncio.sleep(_wait(answer.headers.get("retry-after"), attempt))
                continue
            await asyncio.sleep(_wait(None, attempt))
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, request: Request) -> Answer:
        async with asyncio.timeout(self._timeout_s + 1), self._stream(request) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _SIZE_LIMIT:
                    raise UpstreamError(f"{request.engine} answers with more than {_SIZE_LIMIT} bytes")
            text = body.decode(response.charset_encoding or "utf-8", "replace")
            return Answer(response.status_code, text, response.headers)

    def _stream(self, request: Request) -> Any:
        fields: dict[str, Any] = {"data" if request.method == "POST" else "params": dict(request.params)}
        return self._client.stream(request.method, request.url, headers=dict(request.headers), **fields)


def _checked(request: Request, answer: Answer) -> Answer:
    if answer.status in (401, 403) and request.engine == "SearXNG":
        raise UpstreamError(
            "SearXNG refuses (403): its settings.yml must have json among search.formats, "
            "and its limiter must let the studio through",
            answer.status,
        )
    if answer.status in (401, 403):
        raise AuthFailed(f"{request.engine} refuses the key (HTTP {answer.status}); check api_key")
    if answer.status == 429:
        seconds = _wait(answer.headers.get("retry-after"), 4)
        raise NotReady(f"{request.engine} has had too many searches for now", retry_after=seconds)
    if answer.status >= 300:
        raise UpstreamError(f"{request.engine} answers with HTTP {answer.status}", answer.status)
    return answer


def _wait(retry_after: str | None, attempt: int) -> float:
    """As long as the server says, or longer each time, never at the same moment as everybody else."""
    if retry_after is not None and retry_after.strip().isdecimal():
        return min(float(retry_after), _LONGEST_WAIT_S)
    return min(0.25 * 2**attempt, _LONGEST_WAIT_S) * random.uniform(0.5, 1)


def _words(error: httpx.HTTPError) -> str:
    """What failed. httpx puts no address into its texts, which may hold a proxy's password."""
    return f"{type(error).__name__}: {error}"[:200] if str(error) else type(error).__name__
