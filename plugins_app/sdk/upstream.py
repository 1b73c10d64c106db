"""For plugins that talk to a service over HTTP: addresses in a configuration, `Retry-After`, connections that fail."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlsplit

from .errors import ConfigError, PermissionDenied, PluginError, UpstreamError

__all__ = ["check_address", "connection_failed", "retry_after_seconds"]


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
