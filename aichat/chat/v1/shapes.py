"""Chunks and completions as OpenAI's clients expect them, whatever a provider left out."""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["ChunkWriter", "as_completion"]

_END = b"data: [DONE]\n\n"


class ChunkWriter:
    """Writes one answer's chunks as server-sent events. The client's every assumption about a stream holds after it:

    the first chunk names the role, each has the same id and model, one says why the answer ended, usage comes last
    and only when it was asked for.
    """

    def __init__(self, request_id: str, model: str, created: int, *, include_usage: bool, legacy: bool) -> None:
        self._common = {"id": request_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._include_usage = include_usage
        self._legacy = legacy
        self._begun = False
        self._has_calls = False
        self._finished = False
        self._usage: dict[str, Any] | None = None

    def batch(self, chunks: list[dict[str, Any]]) -> bytes:
        """The events of these chunks, in one piece."""
        events = []
        for chunk in chunks:
            if chunk.get("usage"):
                self._usage = chunk["usage"]
            if choices := chunk.get("choices"):
                for choice in choices:
                    self._complete(choice)
                if self._include_usage:
                    chunk["usage"] = None
                else:
                    chunk.pop("usage", None)
                events.append(self._event(chunk))
        return b"".join(events)

    def end(self) -> bytes:
        """What comes after the last chunk."""
        events = []
        if not self._finished:
            reason = "tool_calls" if self._has_calls else "stop"
            events.append(self.batch([{"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}]))
        if self._include_usage and self._usage is not None:
            events.append(self._event({"choices": [], "usage": self._usage}))
        return b"".join([*events, _END])

    def _event(self, chunk: dict[str, Any]) -> bytes:
        chunk.update(self._common)
        return b"data: %b\n\n" % orjson.dumps(chunk)

    def _complete(self, choice: dict[str, Any]) -> None:
        if "index" not in choice or "finish_reason" not in choice:
            choice.setdefault("index", 0)
            choice.setdefault("finish_reason", None)
        delta = choice.get("delta")
        if delta is None:
            delta = choice["delta"] = {}
        if not self._begun:
            self._begun = True
            delta.setdefault("role", "assistant")
        if delta.get("tool_calls"):
            self._has_calls = True
            self._complete_calls(delta)
        if choice["finish_reason"]:
            self._finished = True
            if self._legacy and choice["finish_reason"] == "tool_calls":
                choice["finish_reason"] = "function_call"

    def _complete_calls(self, delta: dict[str, Any]) -> None:
        for position, call in enumerate(delta["tool_calls"]):
            call.setdefault("index", position)
            if call.get("id"):
                call.setdefault("type", "function")
        if self._legacy:
            delta["function_call"] = delta.pop("tool_calls")[0].get("function") or {}


def as_completion(response: dict[str, Any], *, legacy: bool) -> dict[str, Any]:
    """A whole answer, complete."""
    for index, choice in enumerate(response["choices"]):
        choice.setdefault("index", index)
        choice.setdefault("logprobs", None)
        message = choice.setdefault("message", {})
        message.setdefault("role", "assistant")
        message.setdefault("content", None)
        calls = message.get("tool_calls")
        if calls is not None and not calls:
            del message["tool_calls"]
        for position, call in enumerate(calls or ()):
            call.setdefault("type", "function")
            call.setdefault("id", f"call_{position}")
        if not choice.get("finish_reason"):
            choice["finish_reason"] = "tool_calls" if calls else "stop"
        if legacy and calls:
            message["function_call"] = message.pop("tool_calls")[0].get("function")
            choice["finish_reason"] = "function_call"
    if response.get("usage") is None:
        response.pop("usage", None)
    return response
