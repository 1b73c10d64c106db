"""A middleware that keeps private data from the model, and, if wanted, from the answer."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from plugins_app.sdk import MiddlewarePlugin

from .redaction import Redactor, Stream

_FIELDS = ("content", "reasoning_content", "reasoning")
_MAX_STREAMS = 1024

# Whose stream, which answer, which choice, which field.
StreamKey = tuple[Any, str, int, str]


class Redact(MiddlewarePlugin):
    """Replaces what is private in every message before the request goes on."""

    priority = 10
    on_error = "fail"

    async def initialize(self) -> bool:
        """Settings are frozen for the life of the plugin, so the redactor is made once."""
        self._redactor = Redactor(
            self.get_config("kinds", ["email", "phone", "card", "key"]), self.get_config("style", "typed")
        )
        self._responses = bool(self.get_config("apply_to_response", False))
        self._streams: OrderedDict[StreamKey, Stream] = OrderedDict()
        return True

    def before_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with redacted messages; everything else stays as it is.

        Not async: a long conversation takes a while to look through, and in a thread it keeps nobody else waiting.
        """
        return request | {"messages": [self._message(message) for message in request.get("messages") or []]}

    def after_response(self, response: dict[str, Any]) -> dict[str, Any]:
        """The answer, redacted when that is wanted."""
        if not self._responses:
            return response
        choices = [
            choice | {"message": self._message(choice["message"])} if choice.get("message") else choice
            for choice in response.get("choices") or []
        ]
        return response | {"choices": choices}

    async def on_chunk(self, chunk: dict[str, Any]) -> dict[str, Any] | None:
        """A chunk of a stream. What may be the beginning of something private waits for the chunks after it."""
        if not self._responses:
            return chunk
        identity = chunk.get("id")
        choices = [self._choice(choice, identity) for choice in chunk.get("choices") or []]
        return chunk | {"choices": choices}

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        return message | {field: self._content(message[field]) for field in _FIELDS if message.get(field)}

    def _content(self, content: Any) -> Any:
        """A string, or OpenAI's content parts, of which those with text are redacted."""
        if isinstance(content, str):
            return self._redactor.redact(content)
        if not isinstance(content, list):
            return content
        return [
            part | {"text": self._redactor.redact(part["text"])}
            if isinstance(part, dict) and isinstance(part.get("text"), str)
            else part
            for part in content
        ]

    def _choice(self, choice: dict[str, Any], identity: str | None) -> dict[str, Any]:
        delta = dict(choice.get("delta") or {})
        ended = choice.get("finish_reason") is not None
        user = (self.context.user or {}).get("id")
        for field in _FIELDS:
            piece = delta.get(field) or ""
            if identity:
                shown = self._feed((user, identity, choice.get("index", 0), field), piece, ended=ended)
            else:  # nobody can say which chunks belong together: each is redacted on its own
                shown = self._redactor.redact(piece)
            if shown or piece:
                delta[field] = shown
        return choice | {"delta": delta}

    def _feed(self, key: StreamKey, piece: str, *, ended: bool) -> str:
        """What of this stream can be shown now. Streams that nobody ended are forgotten, oldest first."""
        stream = self._streams.pop(key, None)
        if stream is None and not piece:
            return ""
        stream = stream or Stream(self._redactor)
        shown = stream.feed(piece)
        if ended:
            return shown + stream.finish()
        self._streams[key] = stream
        if len(self._streams) > _MAX_STREAMS:
            self._streams.popitem(last=False)
        return shown
