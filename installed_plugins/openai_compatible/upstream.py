"""Asking servers over HTTP: one pool of connections, time limits, repeats before anything of an answer was given on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
import orjson

from plugins_app.sdk import PluginError

from . import failures
from .completions import read_chunks
from .endpoints import Endpoint
from .failures import Failure

__all__ = ["Upstream"]

_KEPT_S = 55.0  # a little less than most servers keep an idle connection
_ERROR_LIMIT = 64 * 1024
_ANSWER_LIMIT = 30 * 2**20


class Upstream:
    """The way to all servers of a configuration. Make it inside a running event loop, and close it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._proxy = config["proxy"] or None
        self._retries = int(config["max_retries"])
        self._read_timeout = float(config["read_timeout_s"])
        timeout = aiohttp.ClientTimeout(
            total=None, connect=config["connect_timeout_s"], sock_read=self._read_timeout, ceil_threshold=3600
        )
        connector = aiohttp.TCPConnector(
            limit=0, ttl_dns_cache=60, keepalive_timeout=_KEPT_S, ssl=bool(config["verify_tls"])
        )
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def get(self, endpoint: Endpoint, path: str) -> Any:
        """The JSON there, asked for once."""
        try:
            return await self._whole("GET", endpoint, path, None)
        except Failure as failure:
            raise failure.error from failure

    async def post(self, endpoint: Endpoint, path: str, body: dict[str, Any]) -> Any:
        """The whole answer's JSON.

        Raises:
            PluginError: AuthFailed, NotReady, UpstreamError, DeadlineExceeded, by what the last attempt met.
        """
        payload, attempt = orjson.dumps(body), 0
        while True:
            try:
                return await self._whole("POST", endpoint, path, payload)
            except Failure as failure:
                attempt += 1
                await self._pause_or_raise(attempt, failure)

    async def batches(
        self, endpoint: Endpoint, path: str, body: dict[str, Any]
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """The chunks of a streamed answer: all that came in one read together. Raises as `post` does."""
        payload, attempt, begun = orjson.dumps(body), 0, False
        while True:
            try:
                async with (
                    self._answer("POST", endpoint, path, payload) as body,
                    aclosing(read_chunks(endpoint, body)) as batches,
                ):
                    async for batch in batches:
                        begun = True
                        yield batch
                return
            except Failure as failure:
                if begun:
                    raise failure.error from failure
                attempt += 1
                await self._pause_or_raise(attempt, failure)

    async def _pause_or_raise(self, attempt: int, failure: Failure) -> None:
        pause = failures.pause_before(attempt, failure) if attempt <= self._retries else None
        if pause is None:
            raise failure.error from failure
        await asyncio.sleep(pause)

    @asynccontextmanager
    async def _answer(
        self, method: str, endpoint: Endpoint, path: str, payload: bytes | None
    ) -> AsyncGenerator[aiohttp.StreamReader, None]:
        """The answer's body as it comes. A reader that stops early closes the connection."""
        try:
            async with self._request(method, endpoint, path, payload) as response:
                await _check(endpoint, response)
                yield response.content
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.of_transport(endpoint, error, self._read_timeout) from error

    async def _whole(self, method: str, endpoint: Endpoint, path: str, payload: bytes | None) -> Any:
        async with self._answer(method, endpoint, path, payload) as body:
            data = await _read(endpoint, body)
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise Failure(failures.garbage(endpoint, data)) from error

    def _request(self, method: str, endpoint: Endpoint, path: str, payload: bytes | None) -> Any:
        # A redirect is not followed: it would carry the key and the conversation to wherever it points.
        return self._session.request(
            method,
            endpoint.base_url + path,
            data=payload,
            headers=endpoint.headers,
            proxy=self._proxy,
            allow_redirects=False,
        )


async def _check(endpoint: Endpoint, response: aiohttp.ClientResponse) -> None:
    if response.status == 200:
        return
    if where := response.headers.get("Location"):
        text = f"{endpoint.label} redirects to {where}: enter that as its base URL"
        raise Failure(PluginError(text))
    body = await response.content.read(_ERROR_LIMIT)
    raise failures.of_status(endpoint, response.status, response.headers, body)


async def _read(endpoint: Endpoint, body: aiohttp.StreamReader) -> bytes:
    data = bytearray()
    while piece := await body.readany():
        data += piece
        if len(data) > _ANSWER_LIMIT:
            raise Failure(PluginError(f"{endpoint.label} sent more than {_ANSWER_LIMIT // 2**20} MiB"))
    return bytes(data)
