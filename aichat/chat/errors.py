"""What can go wrong in a chat, said in the same way over SSE, over HTTP and in the stored message."""

from __future__ import annotations

from typing import Any

from plugins_app.services.errors import CODES, StudioError

__all__ = ["CHAT_CODES", "ChatError"]

#: The codes that only a chat has; `plugins_app.services.errors.CODES` has the rest. docs/errors.md explains each.
CHAT_CODES: dict[str, tuple[int, str]] = {
    "model_not_found": (404, "There is no such model"),
    "conversation_not_found": (404, "There is no such conversation"),
    "message_not_found": (404, "There is no such message"),
    "attachment_not_found": (404, "There is no such attachment"),
    "attachment_in_use": (409, "The attachment belongs to a message"),
    "attachment_too_large": (413, "The attachment is too large"),
    "attachments_waiting": (429, "Too many files wait for a message"),
    "attachment_unsupported": (415, "Such files cannot be attached"),
    "attachment_invalid": (422, "The file cannot be read"),
    "import_unreadable": (422, "The file cannot be imported"),
    "answer_not_running": (409, "No answer is under way"),
    "answer_running": (409, "An answer is under way"),
    "tool_not_found": (404, "There is no such tool"),
    "approval_denied": (403, "The user did not allow it"),
    "approval_not_found": (404, "Nothing waits for this approval"),
    "export_not_found": (404, "There is no such export format"),
    "embeddings_unsupported": (400, "The model makes no embeddings"),
    "provider_invalid": (502, "The provider's answer cannot be read"),
    "middleware_invalid": (502, "The middleware's answer cannot be read"),
    "export_invalid": (502, "The export plugin's answer cannot be read"),
    "tool_rounds_exceeded": (502, "The model asked for tools too often"),
    "interrupted": (502, "The answer was interrupted"),
}


class ChatError(StudioError):
    """A chat request or an answer failed."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        errors: list[dict[str, str]] | None = None,
        retry_after: float | None = None,
        plugin_id: str | None = None,
        refusal: bool = False,
        upstream_status: int | None = None,
        upstream_reason: str | None = None,
    ) -> None:
        """`status`, when given, wins over the table's: a plugin's own error brings its status along.

        `refusal` marks a plugin's `Refused`: its code is the plugin's own, and no middleware's `on_error` skips it.
        `upstream_status` and `upstream_reason` are what the service behind a provider answered.
        """
        super().__init__(code, detail, errors=errors, retry_after=retry_after)
        usual, self.title = CHAT_CODES.get(code) or CODES.get(code) or (502, code.replace("_", " ").capitalize())
        self.status = status or usual
        self.plugin_id = plugin_id
        self.refusal = refusal
        self.upstream_status, self.upstream_reason = upstream_status, upstream_reason
        if refusal:
            self.title = CODES["refused"][1]

    def to_dict(self) -> dict[str, Any]:
        """The data of an `error` event."""
        data: dict[str, Any] = {"code": self.code, "title": self.title, "detail": self.detail, "status": self.status}
        more = {"plugin_id": self.plugin_id or None, "retry_after": self.retry_after}
        return data | {name: value for name, value in more.items() if value is not None}
