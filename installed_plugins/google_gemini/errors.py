"""Google's errors as the SDK's, in words that say what to do and never hold the key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from google.genai.errors import APIError

from plugins_app.sdk import AuthFailed, DeadlineExceeded, NotReady, PluginError, UpstreamError
from plugins_app.sdk.upstream import connection_failed, refusal_reason, retry_after_seconds

__all__ = ["translated"]

_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


@contextmanager
def translated(key: str, base_url: str, proxy: str) -> Iterator[None]:
    """Raise what the vendor's SDK raises as one of ours."""
    try:
        yield
    except PluginError:
        raise
    except APIError as error:
        raise _of_status(error, key) from None
    except httpx2.TimeoutException:
        raise DeadlineExceeded("Gemini did not answer in time (timeout_s in the plugin's settings)") from None
    except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
        raise connection_failed(error, proxy or base_url) from None
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        # Garbage shows where it is parsed; so does a request that the SDK itself refuses.
        said = str(error).replace(key, "***")[:300]
        raise UpstreamError(f"Gemini sent something that is no answer ({type(error).__name__}: {said})") from None


def _of_status(error: APIError, key: str) -> PluginError:
    status, said = int(error.code or 0), str(error.message or "no reason given").replace(key, "***")[:500]
    if status in (401, 403) or (status == 400 and "API_KEY_INVALID" in str(error.details)):
        return AuthFailed(f"Google refuses the API key in the plugin's settings ({status}): {said}")
    if not 400 <= status < 600:
        return UpstreamError(f"Gemini sent something that is no answer: {said}")
    wait = _wait(error)
    if status == 429 or (wait is not None and status >= 500):
        return NotReady(f"Gemini is busy ({status}): {said}", 1.0 if wait is None else wait)
    return UpstreamError(f"Gemini: {said} ({status})", status, reason=refusal_reason(said))


def _wait(error: APIError) -> float | None:
    """Google says in the body how long to wait."""
    for detail in _details(error):
        found = _DELAY.fullmatch(str(detail.get("retryDelay", "")))
        if found:
            return float(found[1])
    headers = getattr(error.response, "headers", None) or {}
    return retry_after_seconds(headers.get("retry-after"))


def _details(error: APIError) -> list[dict[str, Any]]:
    body = error.details.get("error") if isinstance(error.details, dict) else None
    details = body.get("details") if isinstance(body, dict) else None
    return [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
