"""From the events of Cohere's stream to OpenAI's chunks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

from plugins_app.sdk import UpstreamError

from .names import Names

__all__ = ["Answer"]

_FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}


class Answer:
    """One answer, event by event."""

    def __init__(self, model: str, names: Names) -> None:
        identity = f"chatcmpl-{uuid.uuid4().hex}"
        self._common = {"id": identity, "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
        self._names = names
        self._open: dict[int, bool] = {}  # calls by their index: whether they have any arguments yet
        self._whole = False

    def require_whole(self) -> None:
        """Raise when the stream ended before the answer did."""
        if not self._whole:
            raise UpstreamError("Cohere's answer broke off before its end")

    def chunks_of(self, event: Any) -> Iterator[dict[str, Any]]:
        """What one event means. Citations and what may be added to the API mean nothing here."""
        kind = event.type
        if kind == "message-start":
            yield self._chunk({"role": "assistant", "content": ""})
        elif kind in ("content-start", "content-delta"):
            yield from self._text(event.delta.message.content)
        elif kind == "tool-plan-delta":
            yield self._chunk({"reasoning_content": event.delta.message.tool_plan})
        elif kind == "tool-call-start":
            yield self._begin(event.index, event.delta.message.tool_calls)
        elif kind == "tool-call-delta":
            yield from self._arguments(event.index, event.delta.message.tool_calls.function.arguments)
        elif kind == "tool-call-end" and not self._open.get(event.index, True):
            yield from self._arguments(event.index, "{}")  # its reader parses them
        elif kind == "message-end":
            yield from self._end(event.delta)

    def _text(self, content: Any) -> Iterator[dict[str, Any]]:
        if thought := getattr(content, "thinking", None):
            yield self._chunk({"reasoning_content": thought})
        if text := getattr(content, "text", None):
            yield self._chunk({"content": text})

    def _begin(self, index: int, call: Any) -> dict[str, Any]:
        arguments = call.function.arguments or ""
        self._open[index] = bool(arguments)
        function = {"name": self._names.ours(call.function.name), "arguments": arguments}
        return self._chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]})

    def _arguments(self, index: int, piece: str | None) -> Iterator[dict[str, Any]]:
        if piece:
            self._open[index] = True
            yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def _end(self, delta: Any) -> Iterator[dict[str, Any]]:
        reason = str(delta.finish_reason)
        if reason not in _FINISH:  # ERROR, ERROR_TOXIC, TIMEOUT, ...
            raise UpstreamError(f"Cohere ended the answer: {getattr(delta, 'error', None) or reason}")
        self._whole = True
        yield self._chunk({}, _FINISH[reason])
        if delta.usage is not None:
            yield self._common | {"choices": [], "usage": _spent(delta.usage)}

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return self._common | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _spent(usage: Any) -> dict[str, Any]:
    counted = usage.tokens or usage.billed_units
    prompt, answer = int(counted.input_tokens or 0), int(counted.output_tokens or 0)
    spent: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    if cached := int(getattr(usage, "cached_tokens", None) or 0):
        spent["prompt_tokens_details"] = {"cached_tokens": cached}
    return spent
