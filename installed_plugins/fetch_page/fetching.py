"""Getting one document over HTTP: only from checked addresses, only so much, only so long."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any

import httpcore
import httpx

from plugins_app.sdk import DeadlineExceeded, NotReady, PluginError, UpstreamError

from .guard import GuardedBackend

__all__ = ["Document", "FetchRefused", "Fetcher", "Limits"]

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every address that people read
_SUSPECT_PORTS_BELOW = 1024
_PIECE = 64 * 1024
_UNPACKING = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
#: What has text in it.
_READABLE = ("text/", "application/xhtml+xml", "application/pdf", "application/json", "application/xml")
_READABLE_ENDS = ("+json", "+xml")
_UNKNOWN = ("", "application/octet-stream", "binary/octet-stream")


class FetchRefused(PluginError):
    """This is not read, by a rule; the text says which."""

    code = "fetch_refused"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much, how far, how long."""

    size: int
    redirects: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Document:
    """What was got. `media_type` is empty when the server does not say."""

    url: str
    media_type: str
    charset: str | None
    body: bytes


class Fetcher:
    """Gets documents; nothing of one request, no cookie and no connection, is left for the next."""

    def __init__(self, backend: GuardedBackend, limits: Limits, user_agent: str) -> None:
        self._backend, self._limits = backend, limits
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,application/json;q=0.8,*/*;q=0.1",
            "Accept-Encoding": "gzip, deflate",
            "Accept-Language": "en;q=0.8,*;q=0.5",
        }
        self._tls = httpx.create_ssl_context()

    async def get(self, url: str) -> Document:
        """The document at `url`, or where it is sent on to.

        Raises:
            AddressRefused: it is in the private network.
            FetchRefused: it is no web address, too large, or nothing that can be read.
            UpstreamError: the server fails, or is not there.
            DeadlineExceeded: it takes too long.
        """
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._follow(url)
        except (TimeoutError, httpcore.TimeoutException, httpx.TimeoutException) as error:
            raise DeadlineExceeded(f"{url} was not read in {self._limits.seconds:g} s") from error
        except (httpcore.NetworkError, httpx.NetworkError) as error:
            raise UpstreamError(f"{url} cannot be reached: {error}") from error
        except (httpcore.ProtocolError, httpx.ProtocolError) as error:
            raise UpstreamError(f"{url} does not answer in HTTP, or broke off: {error}") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise FetchRefused(f"{url} is no address of a page: {error}") from error

    async def _follow(self, url: str) -> Document:
        target = _checked(httpx.URL(url))
        async with self._client() as client:
            for _ in range(self._limits.redirects + 1):
                async with client.stream("GET", target) as response:
                    if response.next_request is None:
                        return await self._read(response)
                    target = _checked(response.next_request.url)
        raise FetchRefused(f"{url} sends on more than {self._limits.redirects} times")

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        pool = httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=self._backend, retries=0)
        seconds = self._limits.seconds
        async with httpx.AsyncClient(transport=_Transport(pool), headers=self._headers, timeout=seconds) as client:
            yield client

    async def _read(self, response: httpx.Response) -> Document:
        url = str(response.url)
        if response.status_code in (429, 503):
            raise NotReady(f"{url} answers with HTTP {response.status_code}", retry_after=_seconds(response))
        if response.status_code >= 300:
            raise UpstreamError(f"{url} answers with HTTP {response.status_code}", response.status_code)
        media_type, charset = _content_type(response.headers.get("content-type", ""))
        if not _is_readable(media_type):
            raise FetchRefused(f"{url} is {media_type}, which has no text to read")
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limits.size:
            raise self._too_large(url)
        return Document(url, media_type, charset, await self._body(response, url))

    async def _body(self, response: httpx.Response, url: str) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", *_UNPACKING):
            raise UpstreamError(f"{url} is packed as {encoding}, which was not asked for")
        unpack = _Unpacking(_UNPACKING[encoding]) if encoding in _UNPACKING else None
        body = bytearray()
        async for piece in response.aiter_raw(_PIECE):
            # Never unpacked further than the limit: a small file can unpack to fill any memory.
            body += unpack.more(piece, self._limits.size + 1 - len(body)) if unpack else piece
            if len(body) > self._limits.size:
                raise self._too_large(url)
        return bytes(body)

    def _too_large(self, url: str) -> FetchRefused:
        return FetchRefused(f"{url} has more than {self._limits.size / 1e6:g} MB")


class _Unpacking:
    def __init__(self, bits: int) -> None:
        self._inflate = zlib.decompressobj(bits)
        self._bits, self._begun = bits, False

    def more(self, piece: bytes, limit: int) -> bytes:
        try:
            found = self._inflate.decompress(piece, limit)
        except zlib.error as error:
            if self._begun or self._bits != zlib.MAX_WBITS:
                raise UpstreamError(f"the answer cannot be unpacked: {error}") from error
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers send deflate without its header
            found = self._inflate.decompress(piece, limit)
        self._begun = True
        return found


class _Transport(httpx.AsyncBaseTransport):
    """httpx over a pool of our own: its own transport does not let the network be chosen."""

    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        answer = await self._pool.handle_async_request(
            httpcore.Request(request.method, url, headers=request.headers.raw, extensions=request.extensions)
        )
        stream: Any = answer.stream
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(stream), request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


class _Stream(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def _checked(url: httpx.URL) -> httpx.URL:
    """The address, if it is one of a page."""
    if url.scheme not in ("http", "https") or not url.host:
        raise FetchRefused(f"{url.copy_with(userinfo=b'')} is no web address: it must begin with http:// or https://")
    if url.userinfo:
        raise FetchRefused(f"{url.copy_with(userinfo=b'')} was given with a name or password in it, which is not sent")
    if url.port is not None and url.port < _SUSPECT_PORTS_BELOW and url.port not in (80, 443):
        raise FetchRefused(f"{url} is no web address: its port belongs to something else")
    return url.copy_with(fragment=None)


def _content_type(value: str) -> tuple[str, str | None]:
    message = Message()
    message["content-type"] = value or "application/octet-stream"
    charset = message.get_param("charset")
    return (message.get_content_type() if value else ""), charset if isinstance(charset, str) else None


def _is_readable(media_type: str) -> bool:
    return media_type in _UNKNOWN or media_type.startswith(_READABLE) or media_type.endswith(_READABLE_ENDS)


def _seconds(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "").strip()
    return min(float(value), 3600.0) if value.isdecimal() else 30.0
