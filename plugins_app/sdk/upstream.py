"""For plugins that talk to a service over HTTP: addresses in a configuration, `Retry-After`, connections that fail."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlsplit

from .errors import ConfigError, PermissionDenied, PluginError, UpstreamError

__all__ = ["check_address", "connection_failed", "refusal_reason", "retry_after_seconds"]

_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|prompt is too long|too many tokens"
    r"|input token count.*exceeds",
    re.IGNORECASE | re.DOTALL,
)


def check_address(field: str, value: str) -> None:
    """Raise a ConfigError for `field` when its value is neither empty nor an address with a host."""
    if not value:
        return
    try:
        parts = urlsplit(value)
        wrong = "" if parts.hostname and parts.port != 0 else "it names no host"
    except ValueError as error:
        wrong = str(error)
    if wrong:
        raise ConfigError(f"{field} is no address: {wrong}", [{"pointer": f"/{field}", "message": wrong}])


def retry_after_seconds(value: str | None) -> float | None:
    """A `Retry-After` header, a number or a date, as seconds from now; None when there is none that can be read."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None


def refusal_reason(words: str) -> str | None:
    """OpenAI's word for why a service refused a request, from what the service says: only `context_length_exceeded`.

    OpenAI's clients look for it, to shorten a conversation by themselves; each service says it in its own words.
    """
    return "context_length_exceeded" if _TOO_LONG.search(words) else None


def connection_failed(error: BaseException, address: str) -> PluginError:
    """What to raise for a connection to `address` that could not be made or broke off.

    The sandbox refuses ports that were not granted; then the error says what to grant.
    """
    parts = urlsplit(address)
    place = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    cause: BaseException | None = error
    while cause is not None:
        # Libraries wrap what the kernel says, some of them in a text only.
        if isinstance(cause, PermissionError) or "Permission denied" in str(cause):
            return PermissionDenied(f"the plugin may not connect to {place}: grant it network:{place}")
        cause = cause.__cause__ or cause.__context__
    return UpstreamError(f"no connection to {place}, or it broke off ({type(error).__name__})")
