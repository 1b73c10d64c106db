"""From the pieces of Gemini's stream to OpenAI's chunks."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from google.genai import types

from plugins_app.sdk import UpstreamError

__all__ = ["Answer", "Signatures"]

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length"}
_BLOCKED = {
    *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"),
    *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
}
_REMEMBERED = 1000
#: Google's own word for a call whose signature is not at hand; on the wire it is this very text.
_UNSIGNED = base64.urlsafe_b64decode("skip_thought_signature_validator")


class Signatures:
    """The signatures of tool calls: newer models want each back with its call, and OpenAI's messages have no place."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes | None] = OrderedDict()

    def keep(self, call: str, signature: bytes | None) -> None:
        """Remember the signature of a call; of calls made at once only the first has one."""
        self._kept[call] = signature
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)

    def of(self, call: str, number: int) -> bytes | None:
        """The signature of a call, the `number`th of its message."""
        return self._kept.get(call, _UNSIGNED if number == 0 else None)


class Answer:
    """One answer, piece by piece."""

    def __init__(self, model: str, signatures: Signatures) -> None:
        identity = f"chatcmpl-{uuid.uuid4().hex}"
        self._common = {"id": identity, "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
        self._signatures = signatures
        self._calls = 0
        self._finish: str | None = None
        self._usage: types.GenerateContentResponseUsageMetadata | None = None

    def chunks_of(self, piece: types.GenerateContentResponse) -> Iterator[dict[str, Any]]:
        """What one piece of the stream means."""
        self._usage = piece.usage_metadata or self._usage
        if piece.prompt_feedback and piece.prompt_feedback.block_reason:
            self._finish = "content_filter"
        for candidate in (piece.candidates or ())[:1]:
            for part in (candidate.content and candidate.content.parts) or ():
                yield from self._part(part)
            if candidate.finish_reason:
                self._finish = self._finished(candidate.finish_reason.value)

    def end(self) -> Iterator[dict[str, Any]]:
        """How the answer ended, and what it took; raises when the stream ended before the answer did."""
        if self._finish is None:
            raise UpstreamError("Gemini's answer broke off before its end")
        yield self._chunk({}, "tool_calls" if self._calls and self._finish == "stop" else self._finish)
        if self._usage is not None:
            yield self._common | {"choices": [], "usage": _spent(self._usage)}

    def _part(self, part: types.Part) -> Iterator[dict[str, Any]]:
        if part.function_call:
            yield self._call(part.function_call, part.thought_signature)
        elif part.text:
            yield self._chunk({"reasoning_content" if part.thought else "content": part.text})

    def _call(self, call: types.FunctionCall, signature: bytes | None) -> dict[str, Any]:
        """A call comes whole, and mostly without an id."""
        identity = call.id or f"call_{uuid.uuid4().hex[:20]}"
        self._signatures.keep(identity, signature)
        function = {"name": call.name or "", "arguments": json.dumps(call.args or {}, ensure_ascii=False)}
        self._calls += 1
        piece = {"index": self._calls - 1, "id": identity, "type": "function", "function": function}
        return self._chunk({"tool_calls": [piece]})

    def _finished(self, reason: str) -> str:
        if reason in _BLOCKED:
            return "content_filter"
        if reason not in _FINISH:  # MALFORMED_FUNCTION_CALL, OTHER, ...
            raise UpstreamError(f"Gemini ended the answer: {reason}")
        return _FINISH[reason]

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return self._common | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _spent(usage: types.GenerateContentResponseUsageMetadata) -> dict[str, Any]:
    """In OpenAI's words, where thoughts are a part of the answer."""
    prompt = (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0)
    thoughts = usage.thoughts_token_count or 0
    answer = (usage.candidates_token_count or 0) + thoughts
    spent: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    if usage.cached_content_token_count:
        spent["prompt_tokens_details"] = {"cached_tokens": usage.cached_content_token_count}
    if thoughts:
        spent["completion_tokens_details"] = {"reasoning_tokens": thoughts}
    return spent
