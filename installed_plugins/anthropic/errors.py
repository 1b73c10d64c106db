"""Anthropic's errors as the SDK's, in words that say what to do and never hold the key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

import anthropic
from plugins_app.sdk import AuthFailed, DeadlineExceeded, NotReady, PluginError, UpstreamError
from plugins_app.sdk.upstream import connection_failed, refusal_reason, retry_after_seconds

__all__ = ["translated"]

#: An error in the midst of a stream has no status of its own, only a type.
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


@contextmanager
def translated(key: str, base_url: str, proxy: str) -> Iterator[None]:
    """Raise what the vendor's SDK raises as one of ours."""
    try:
        yield
    except PluginError:
        raise
    except anthropic.APIStatusError as error:
        raise _of_status(error, key) from None
    except (anthropic.APITimeoutError, httpx2.TimeoutException):
        raise DeadlineExceeded("Anthropic did not answer in time (timeout_s in the plugin's settings)") from None
    except (anthropic.APIConnectionError, httpx2.TransportError, OSError) as error:
        raise connection_failed(error, proxy or base_url) from None
    except (anthropic.AnthropicError, ValueError, AttributeError, TypeError) as error:
        # The SDK does not check what it parses: garbage shows where it is used.
        raise UpstreamError(f"Anthropic sent something that is no answer ({type(error).__name__})") from None


def _of_status(error: anthropic.APIStatusError, key: str) -> PluginError:
    status = _STATUS.get(str(error.type), error.status_code)
    said = (error.api_message or "no reason given").replace(key, "***")
    if status in (401, 403):
        return AuthFailed(f"Anthropic refuses the API key in the plugin's settings ({status}): {said}")
    wait = retry_after_seconds(error.response.headers.get("retry-after"))
    if status == 429 or (wait is not None and status >= 500):
        return NotReady(f"Anthropic is busy ({status}): {said}", 1.0 if wait is None else wait)
    return UpstreamError(f"Anthropic: {said} ({status})", status, reason=refusal_reason(said))
