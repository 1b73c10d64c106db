"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import math
from typing import Any

import orjson

from aichat.chat.errors import ChatError
from plugins_app.services.errors import StudioError

__all__ = ["error_body", "error_event", "error_headers", "error_status", "invalid"]

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error", 402: "insufficient_quota"}
#: What our codes are called by OpenAI, where clients may look for it.
_CODES = {"unauthenticated": "invalid_api_key", "body_too_large": "request_too_large"}
#: OpenAI's clients repeat a 409: a plugin that is not loaded is a model that is not there.
_STATUSES = {"not_loaded": 404, "invalid": 400, "json_malformed": 400}
#: What an upstream's own refusal of the request may be passed on as.
_UPSTREAMS_OWN = frozenset({400, 404, 413, 422, 429})
#: Clients repeat every 429 and 5xx by themselves, twice; here that cannot help.
_HOPELESS = frozenset(
    {"insufficient_quota", "auth_failed", "plugin_config_invalid", "config_invalid", "provider_invalid", "call_loop"}
)


def invalid(param: str, message: str) -> ChatError:
    """A field of the request that cannot be."""
    return ChatError("invalid", message, status=400, errors=[{"pointer": param, "message": message}])


def error_status(error: StudioError) -> int:
    """The HTTP status."""
    upstream = getattr(error, "upstream_status", None)
    if upstream in _UPSTREAMS_OWN:
        return int(upstream)
    return _STATUSES.get(error.code, error.status)


def error_body(error: StudioError) -> dict[str, Any]:
    """The error as OpenAI's clients read it."""
    status = error_status(error)
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    param = error.errors[0]["pointer"] or None if error.errors else None
    return {"error": {"message": error.detail, "type": kind, "param": param, "code": _code(error)}}


def _code(error: StudioError) -> str:
    """The code by which OpenAI's clients know it, where there is one; a service's own when it refused the request."""
    own = getattr(error, "upstream_reason", None) if error_status(error) < 500 else None
    return own or _CODES.get(error.code, error.code)


def error_headers(error: StudioError) -> list[tuple[bytes, bytes]]:
    """When to come back, if at all."""
    headers = [(b"content-type", b"application/json")]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after))).encode()))
    if _code(error) in _HOPELESS:
        headers.append((b"x-should-retry", b"false"))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def error_event(error: StudioError) -> bytes:
    """The error in the middle of a stream, whose status was sent long ago."""
    return b"data: " + orjson.dumps(error_body(error)) + b"\n\n"
