"""Cohere's errors as the SDK's, in words that say what to do and never hold the key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from cohere.core.api_error import ApiError
from cohere.core.parse_error import ParsingError
from plugins_app.sdk import AuthFailed, DeadlineExceeded, NotReady, PluginError, UpstreamError
from plugins_app.sdk.upstream import connection_failed, refusal_reason, retry_after_seconds

__all__ = ["translated"]


@contextmanager
def translated(key: str, base_url: str, proxy: str) -> Iterator[None]:
    """Raise what the vendor's SDK raises as one of ours."""
    try:
        yield
    except PluginError:
        raise
    except ApiError as error:
        raise _of_status(error, key) from None
    except httpx.TimeoutException:
        raise DeadlineExceeded("Cohere did not answer in time (timeout_s in the plugin's settings)") from None
    except (httpx.HTTPError, httpx.StreamError, OSError) as error:
        raise connection_failed(error, proxy or base_url) from None
    except (ParsingError, ValueError, AttributeError, TypeError, KeyError) as error:
        # The SDK does not check what it parses: garbage shows where it is used.
        raise UpstreamError(f"Cohere sent something that is no answer ({type(error).__name__})") from None


def _of_status(error: ApiError, key: str) -> PluginError:
    status, said = error.status_code or 0, _words(error.body).replace(key, "***")
    if not 400 <= status < 600:
        return UpstreamError(f"Cohere sent something that is no answer: {said}")
    if status in (401, 403, 498):
        return AuthFailed(f"Cohere refuses the API key in the plugin's settings ({status}): {said}")
    headers = httpx.Headers(error.headers or {})
    wait = retry_after_seconds(headers.get("retry-after"))
    if status == 429 or (wait is not None and status >= 500):
        return NotReady(f"Cohere is busy ({status}): {said}", 1.0 if wait is None else wait)
    return UpstreamError(f"Cohere: {said} ({status})", status, reason=refusal_reason(said))


def _words(body: object) -> str:
    message = body.get("message") if isinstance(body, dict) else body
    return str(message or "no reason given")[:500]
