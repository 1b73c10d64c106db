"""What can go wrong with a call, each with a stable code and the HTTP status it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins_app.wire import Error

__all__ = ["STATUS_BY_CODE", "CallError", "told"]

STATUS_BY_CODE: Mapping[str, int] = {
    "not_loaded": 409,
    "plugin_restarting": 503,
    "plugin_crashed": 502,
    "plugin_raised": 502,
    "plugin_error": 502,
    "upstream_error": 502,
    "auth_failed": 502,
    "config_invalid": 502,
    "result_not_serializable": 502,
    "drain_timeout": 502,
    "not_ready": 503,
    "overloaded": 503,
    "method_not_found": 404,
    "method_private": 403,
    "method_lifecycle": 403,
    "method_undeclared": 403,
    "permission_denied": 403,
    "refused": 403,
    "arguments_invalid": 422,
    "arguments_too_large": 413,
    "deadline_exceeded": 504,
    "cancelled": 499,
    "call_loop": 409,
}

#: What a plugin's `Refused` may be over HTTP.
_REFUSALS = frozenset({400, 402, 403, 429})


class CallError(Exception):
    """A call that brought no result."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        type_name: str | None = None,
        traceback: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.type_name = type_name or None
        self.traceback = traceback or None
        self.data = dict(data or {})

    @property
    def status(self) -> int:
        """The HTTP status; a plugin that refuses chooses among a few."""
        if self.code == "refused" and self.data.get("status") in _REFUSALS:
            return int(self.data["status"])
        return STATUS_BY_CODE.get(self.code, 502)

    @property
    def retry_after(self) -> float | None:
        """When a repeat makes sense, in seconds; None when waiting does not help."""
        value = self.data.get("retry_after")
        if self.code == "refused":
            return float(value) if isinstance(value, (int, float)) else None
        if self.status != 503:
            return None
        return float(value) if isinstance(value, (int, float)) else 1.0

    @classmethod
    def from_frame(cls, frame: Error) -> CallError:
        """The plugin process's own error."""
        return cls(frame.code, frame.message, type_name=frame.type_name, traceback=frame.traceback, data=frame.data)


def told(error: Exception) -> tuple[str, str]:
    """The code and the words in which a plugin is told that what it asked of the studio has failed."""
    code = "refused" if getattr(error, "refusal", False) else getattr(error, "code", None)
    if isinstance(code, str):
        return code, str(getattr(error, "detail", error))
    return "plugin_error", f"{type(error).__name__}: {error}"
