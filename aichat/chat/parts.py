"""Putting streamed pieces together: OpenAI chunks into a message, many small chunks into fewer."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aichat.chat.errors import ChatError
from plugins_app.sdk.answers import add_call, chunk_problem

__all__ = [
    "Collected",
    "Delta",
    "add_usage",
    "as_chunk",
    "completion",
    "counted",
    "merged",
    "read_delta",
]


#: An answer is kept in memory until it is whole; a provider that never ends must not use up all of it.
_HEAVIEST_ANSWER, _CHUNK_WEIGHT = 20_000_000, 40  # in characters; each chunk is an event that is kept, too
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_MOST_TOKENS = 10**12  # more than that is no count: what adds it up could not store it


@dataclass(frozen=True, slots=True)
class Delta:
    """What one chunk brings that is shown at once."""

    content: str = ""
    reasoning: str = ""


@dataclass(slots=True)
class Collected:
    """One answer of a provider, growing chunk by chunk."""

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    weight: int = 0

    @property
    def text(self) -> str:
        return "".join(self.content)

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """The calls the model asks for, in its order."""
        return [self.calls[index] for index in sorted(self.calls)]

    def add(self, chunk: Any) -> None:
        """Take in one chunk. Short, because long answers have thousands.

        Raises:
            ChatError: it is none.
        """
        if problem := chunk_problem(chunk):
            raise ChatError("provider_invalid", f"The provider sent {problem}.")
        if chunk.get("usage") is not None:
            chunk["usage"] = self.usage = counted(chunk["usage"]) or self.usage
        choices = chunk["choices"]
        if not choices or (choice := choices[0]).get("index", 0) != 0:
            return
        if reason := choice.get("finish_reason"):
            self.finish_reason = reason
        if delta := choice.get("delta"):
            self._add_delta(delta)

    def _add_delta(self, delta: dict[str, Any]) -> None:
        if content := delta.get("content") or delta.get("refusal"):
            self.content.append(content)
        if reasoning := delta.get("reasoning_content") or delta.get("reasoning"):
            self.reasoning.append(reasoning)
        self.weight += len(content or "") + len(reasoning or "") + _CHUNK_WEIGHT
        if self.weight > _HEAVIEST_ANSWER:
            raise ChatError("provider_invalid", "The provider does not come to an end: its answer is too long to keep.")
        for piece in delta.get("tool_calls") or ():
            piece["index"] = add_call(self.calls, piece)

    def message(self) -> dict[str, Any]:
        """The whole message, in OpenAI's shape."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.calls:
            message["tool_calls"] = self.tool_calls
        return message


def read_delta(choice: dict[str, Any]) -> Delta:
    """The text of a choice; providers name their reasoning in two ways."""
    delta = choice.get("delta") or {}
    return Delta(
        delta.get("content") or delta.get("refusal") or "",
        delta.get("reasoning_content") or delta.get("reasoning") or "",
    )


def counted(usage: Any) -> dict[str, Any] | None:
    """What a provider says it has counted; what is no count in it counts as nothing."""
    if not isinstance(usage, dict):
        return None
    return usage | {name: _count(usage[name]) for name in _COUNTS if name in usage}


def _count(found: Any) -> int:
    is_count = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < _MOST_TOKENS
    return int(found) if is_count else 0


def add_usage(total: dict[str, Any] | None, more: dict[str, Any] | None) -> dict[str, Any] | None:
    """The token counts of two provider calls together; None while no provider has counted."""
    if more is None:
        return total
    summed = {name: (total or {}).get(name, 0) + (more.get(name) or 0) for name in _COUNTS}
    if not more.get("total_tokens"):
        summed["total_tokens"] = summed["prompt_tokens"] + summed["completion_tokens"]
    return summed


def merged(chunks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chunks, neighbours that bring nothing but text put together: each look of a middleware costs a call."""
    merged_chunks: list[dict[str, Any]] = []
    for chunk in chunks:
        if merged_chunks and _is_text(chunk) and _is_text(merged_chunks[-1]):
            before = merged_chunks[-1]["choices"][0]["delta"]["content"]
            text = before + chunk["choices"][0]["delta"]["content"]
            merged_chunks[-1] = _with_content(chunk, text)
        else:
            merged_chunks.append(chunk)
    return merged_chunks


def _is_text(chunk: dict[str, Any]) -> bool:
    """Whether the chunk brings text and nothing else."""
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    if not choices or len(choices) != 1 or chunk.get("usage"):
        return False
    choice = choices[0]
    if choice.get("finish_reason") or choice.get("logprobs"):
        return False
    delta = choice.get("delta") or {}
    return isinstance(delta.get("content"), str) and not (delta.keys() - {"content", "role"})


def _with_content(chunk: dict[str, Any], text: str) -> dict[str, Any]:
    choice = chunk["choices"][0]
    return chunk | {"choices": [choice | {"delta": choice["delta"] | {"content": text}}]}


def completion(request_id: str, model: str, message: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    """A chat completion of one message, in OpenAI's shape."""
    finish = finish_reason or ("tool_calls" if message.get("tool_calls") else "stop")
    return {
        "id": request_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }


def as_chunk(response: dict[str, Any]) -> dict[str, Any]:
    """A whole chat completion as one chunk of a stream."""
    choice = response["choices"][0]
    delta = dict(choice["message"])
    if delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": index} | call for index, call in enumerate(delta["tool_calls"])]
    finish = choice.get("finish_reason") or ("tool_calls" if delta.get("tool_calls") else "stop")
    chunk = {name: value for name, value in response.items() if name != "choices"}
    return chunk | {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
