"""One POST to somebody else's server: to a checked address, without redirects and proxies, within one time limit."""

from __future__ import annotations

import functools
import os
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import certifi
import httpcore
import httpx

from .addresses import AddressGuard, AddressRefusedError

__all__ = ["ANSWER_LIMIT", "TIMEOUT", "Answer", "post"]

TIMEOUT = 15.0
ANSWER_LIMIT = 1024
_PIECE = 16 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it: a status, or an `error` that says why there is none."""

    duration_ms: float
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    guard: AddressGuard,
    timeout: float = TIMEOUT,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send `body`. Every failure is an answer; nothing is raised."""
    began = time.monotonic()
    try:
        parts = httpx.URL(url)
        backend = _GuardedBackend(functools.partial(guard.addresses, parts.scheme), began + timeout)
        with httpcore.ConnectionPool(ssl_context=context or _context(), network_backend=backend, retries=0) as pool:
            return _exchange(pool, parts, body, headers, began)
    except AddressRefusedError as error:
        return Answer(_since(began), error=f"refused: {error}")
    except (httpcore.TimeoutException, TimeoutError):
        return Answer(_since(began), error=f"no answer within {timeout:g} s")
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
        return Answer(_since(began), error=f"{type(error).__name__}: {error}"[:500])
    except (httpx.InvalidURL, UnicodeError, ValueError, OverflowError) as error:
        return Answer(_since(began), error=f"the address is no URL: {error}"[:500])


def _exchange(
    pool: httpcore.ConnectionPool, url: httpx.URL, body: bytes, headers: Mapping[str, str], began: float
) -> Answer:
    target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    sent = [(b"Host", url.netloc), *((name.encode(), value.encode()) for name, value in headers.items())]
    with pool.stream("POST", target, headers=[*sent, (b"Connection", b"close")], content=body) as answer:
        text = _beginning(answer)
        received = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        return Answer(_since(began), answer.status, received, text)


def _beginning(answer: httpcore.Response) -> str:
    """What the receiver says, shortened. The status counts, even if the rest never comes."""
    read = b""
    try:
        for piece in answer.iter_stream():
            read += piece
            if len(read) >= ANSWER_LIMIT:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass
    return read[:ANSWER_LIMIT].decode("utf-8", "replace").replace("\x00", "\ufffd")


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


@functools.cache
def _context() -> ssl.SSLContext:
    """The machine's certificates; where it has none, the ones that come with Python's packages."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or (paths.capath and any(os.scandir(paths.capath)))):
        context.load_verify_locations(certifi.where())
    return context


class _GuardedBackend(httpcore.NetworkBackend):
    """Connects to an address that was checked, never to a name."""

    def __init__(self, addresses: Callable[[str, int], list[str]], deadline: float) -> None:
        self._addresses, self._deadline = addresses, deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        problem: Exception = OSError(f"{host} has no address")
        for address in self._addresses(host, port):
            try:
                left = _left(self._deadline, httpcore.ConnectTimeout)
                return _TimedStream(self._sockets.connect_tcp(address, port, left), self._deadline)
            except httpcore.ConnectError as error:
                problem = error  # the next address may answer
        raise problem


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every step ends at one deadline, however slowly the other side dribbles."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            self._stream.write(buffer[start : start + _PIECE], _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, late: type[Exception]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise late("the time is up")
    return left
