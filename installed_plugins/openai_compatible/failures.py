"""What went wrong at a server, as the SDK's errors; and whether and when a repeat can help."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from plugins_app.sdk import AuthFailed, DeadlineExceeded, NotReady, PermissionDenied, PluginError, UpstreamError
from plugins_app.sdk.upstream import refusal_reason

from .endpoints import Endpoint

__all__ = ["Failure", "garbage", "of_status", "of_transport", "pause_before"]

_REPEATABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.4, 8.0
#: A server that wants to be left alone for longer is not waited for: the caller is told when to come back.
_PATIENCE_S = 20.0
_SHOWN = 300


class Failure(Exception):
    """An attempt failed with `error`; `retry_after` is what the server asked for."""

    def __init__(self, error: PluginError, *, repeatable: bool = False, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.repeatable, self.retry_after = error, repeatable, retry_after


def pause_before(attempt: int, failure: Failure) -> float | None:
    """Seconds until the next attempt; None when there should be none. The first repeat is attempt 1."""
    if not failure.repeatable or (failure.retry_after or 0) > _PATIENCE_S:
        return None
    if failure.retry_after is not None:
        return failure.retry_after + random.uniform(0.01, 0.1)  # not all at the same moment
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1)) * random.uniform(0.5, 1)


def of_status(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """An answer other than 200."""
    words, wait = _words(body), _retry_after(headers)
    text = f"{endpoint.label} answered {status}" + (f": {words}" if words else "")
    if status in (401, 403):
        return Failure(AuthFailed(f"{text}. Check the API key."))
    repeatable = status in _REPEATABLE
    if status == 429 and b"insufficient_quota" in body:
        # No quota left is no question of time, see OpenAI's guide to error codes.
        return Failure(UpstreamError(text, status, reason="insufficient_quota"))
    if status == 429:
        return Failure(NotReady(text, wait if wait is not None else 5.0), repeatable=True, retry_after=wait)
    if status == 404 and not words:
        text += ". Check the base URL: it mostly ends in /v1."
    return Failure(UpstreamError(text, status, reason=_reason(body)), repeatable=repeatable, retry_after=wait)


def of_transport(endpoint: Endpoint, error: Exception, read_timeout: float) -> Failure:
    """A request that got no answer, or a part of one."""
    reason = getattr(error, "os_error", error)
    if isinstance(reason, PermissionError):
        text = f"the sandbox does not let this plugin connect to {endpoint.base_url}: grant it the port (network:*:*)"
        return Failure(PermissionDenied(text))
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Failure(UpstreamError(f"{endpoint.label} cannot be reached: no connection in time"), repeatable=True)
    if isinstance(error, TimeoutError):
        return Failure(DeadlineExceeded(f"{endpoint.label} sent nothing for {read_timeout:g} s"))
    if isinstance(error, aiohttp.ClientSSLError):
        return Failure(UpstreamError(f"{endpoint.label}: no secure connection: {error}", 525))
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return Failure(PluginError(f"{endpoint.base_url} is no URL that can be asked"))
    if isinstance(error, aiohttp.ClientConnectorError):
        text = f"{endpoint.label} cannot be reached: {reason}"
    elif isinstance(error, aiohttp.ClientResponseError):  # what came is no HTTP
        return Failure(UpstreamError(f"{endpoint.label} answered with something that is no HTTP"), repeatable=True)
    else:
        text = f"the connection to {endpoint.label} broke off: {str(error) or type(error).__name__}"
    return Failure(UpstreamError(text), repeatable=True)


def garbage(endpoint: Endpoint, data: bytes) -> UpstreamError:
    """An answer that is no JSON, or not of the right shape."""
    shown = " ".join(data[:_SHOWN].decode("utf-8", "replace").split())
    hint = " Check the base URL: it mostly ends in /v1." if data.lstrip()[:1] == b"<" else ""
    return UpstreamError(f"{endpoint.label} answered with something else than a chat completion: {shown!r}.{hint}", 502)


def _words(body: bytes) -> str:
    """What the server says is wrong; servers differ in where they write it."""
    try:
        data: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[:_SHOWN].decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else " ".join(text.split())
    if isinstance(data, list) and data:
        data = data[0]
    for key in ("error", "message", "detail"):
        if isinstance(data, dict) and data.get(key):
            data = data[key]
    return (data if isinstance(data, str) else orjson.dumps(data).decode())[: _SHOWN * 3]


def _reason(body: bytes) -> str | None:
    """The server's own word for what is wrong, as OpenAI's `code`."""
    try:
        code = orjson.loads(body)["error"]["code"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        code = None
    return code if isinstance(code, str) and code else refusal_reason(body.decode("utf-8", "replace"))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; the header has them, or a date."""
    if milliseconds := headers.get("retry-after-ms"):
        value, scale = milliseconds, 0.001
    else:
        value, scale = headers.get("Retry-After", ""), 1.0
    try:
        return max(0.0, float(value) * scale)
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
