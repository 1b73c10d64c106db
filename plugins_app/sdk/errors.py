"""The exceptions a plugin raises and receives.

The whole tree, with what each becomes over HTTP::

    PluginError                 502  something went wrong in a plugin; `retryable` says whether a repeat can help
    ├── ConfigError             422  the configuration cannot work; `errors` names the fields
    ├── NotReady                503  not now; `retry_after` is in seconds
    ├── AuthFailed              502  the upstream refused the credentials
    ├── UpstreamError           502  the upstream answered with `status`
    ├── Refused                 403  a policy says no (400, 402 or 429 by `status`); a middleware's is never skipped
    ├── PermissionDenied        403  the manifest did not ask for it, or the operator did not grant it
    ├── Cancelled               499  the caller went away or cancelled
    └── DeadlineExceeded        504  the call's time was up
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

__all__ = [
    "AuthFailed",
    "Cancelled",
    "ConfigError",
    "DeadlineExceeded",
    "NotReady",
    "PermissionDenied",
    "PluginError",
    "Refused",
    "UpstreamError",
]


class PluginError(Exception):
    """Something went wrong in a plugin."""

    code: ClassVar[str] = "plugin_error"
    retryable: bool = False

    @property
    def details(self) -> dict[str, Any]:
        """What travels with the error besides its message; JSON-like."""
        return {}


class ConfigError(PluginError):
    """The plugin's configuration cannot work."""

    code = "config_invalid"

    def __init__(self, message: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []

    @property
    def details(self) -> dict[str, Any]:
        return {"errors": self.errors}


class NotReady(PluginError):
    """The plugin cannot serve at the moment, but will be able to."""

    code = "not_ready"
    retryable = True

    def __init__(self, message: str = "not ready", retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def details(self) -> dict[str, Any]:
        return {"retry_after": self.retry_after}


class AuthFailed(PluginError):
    """The upstream service refused the plugin's credentials."""

    code = "auth_failed"


class UpstreamError(PluginError):
    """The upstream service failed; a 429 or 5xx is worth a repeat."""

    code = "upstream_error"

    def __init__(self, message: str, status: int | None = None, *, reason: str | None = None) -> None:
        """`reason` is the service's own word for it that programs know, such as "context_length_exceeded"."""
        super().__init__(message)
        self.status, self.reason = status, reason
        self.retryable = status is None or status == 429 or status >= 500

    @property
    def details(self) -> dict[str, Any]:
        return {"status": self.status} | ({"reason": self.reason} if self.reason else {})


class Refused(PluginError):
    """A rule of the plugin's says no: too often, too dear, not allowed. The caller gets these words, status and reason.

    A middleware that raises it ends the request even where it says ``on_error = "skip"``: it has not failed.
    """

    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        status: Literal[400, 402, 403, 429] = 403,
        retry_after: float | None = None,
        code: str = "refused",
    ) -> None:
        """`code` is the reason in one word for programs, such as "budget_exceeded"; `retry_after` is in seconds."""
        if status not in (400, 402, 403, 429):
            raise ValueError(f"a refusal's status is 400, 402, 403 or 429, not {status!r}")
        super().__init__(message)
        self.status, self.retry_after, self.reason = status, retry_after, code

    @property
    def details(self) -> dict[str, Any]:
        return {"status": self.status, "retry_after": self.retry_after, "reason": self.reason}


class PermissionDenied(PluginError):
    """The plugin did something its manifest did not ask for or the operator did not grant."""

    code = "permission_denied"


class Cancelled(PluginError):
    """The caller cancelled the call or went away."""

    code = "cancelled"


class DeadlineExceeded(PluginError):
    """The call's time was up."""

    code = "deadline_exceeded"
    retryable = True
