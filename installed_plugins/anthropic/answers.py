"""From the events of Anthropic's stream to OpenAI's chunks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anthropic.types import RawMessageStreamEvent
from plugins_app.sdk import UpstreamError

__all__ = ["Answer", "Thoughts"]

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_REMEMBERED = 1000


class Thoughts:
    """What a model thought before it called tools: the API wants it back, signed, with the tools' results.

    OpenAI's messages have no place for the signature, so it is kept here, by the id of the call.
    """

    def __init__(self) -> None:
        self._blocks: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()

    def keep(self, call: str, blocks: list[dict[str, Any]]) -> None:
        """Remember the thoughts that led to a call."""
        self._blocks[call] = blocks
        if len(self._blocks) > _REMEMBERED:
            self._blocks.popitem(last=False)

    def of(self, calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
        """The thoughts that led to these calls; None when they are not known (any more)."""
        return self._blocks.get(calls[0].get("id", "")) if calls else None

    def are_whole(self, turns: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a request may think: an assistant's turn that calls tools has to begin with its thoughts."""
        return all(
            turn["content"][0]["type"] in ("thinking", "redacted_thinking")
            for turn in turns
            if any(block["type"] == "tool_use" for block in turn["content"])
        )


class Answer:
    """One answer, event by event."""

    def __init__(self, model: str, thoughts: Thoughts) -> None:
        self._common: dict[str, Any] = {"object": "chat.completion.chunk", "created": int(time.time()), "model": model}
        self._thoughts = thoughts
        self._thinking: list[dict[str, Any]] = []
        self._calls: dict[int, dict[str, Any]] = {}  # by the number of the content block
        self._usage: dict[str, Any] = {}
        self._whole = False

    def require_whole(self) -> None:
        """Raise when the stream ended before the answer did."""
        if not self._whole:
            raise UpstreamError("Anthropic's answer broke off before its end")

    def chunks_of(self, event: RawMessageStreamEvent) -> Iterator[dict[str, Any]]:
        """What one event means. Unknown ones mean nothing: the API may add more."""
        if event.type == "message_start":
            self._common["id"] = event.message.id
            self._count(event.message.usage)
            yield self._chunk({"role": "assistant", "content": ""})
        elif event.type == "content_block_start":
            yield from self._begin(event.index, event.content_block)
        elif event.type == "content_block_delta":
            yield from self._go_on(event.index, event.delta)
        elif event.type == "content_block_stop":
            yield from self._end(event.index)
        elif event.type == "message_delta":
            self._count(event.usage)
            yield self._chunk({}, _FINISH.get(event.delta.stop_reason or "", "stop"))
        elif event.type == "message_stop":
            self._whole = True
            yield self._common | {"choices": [], "usage": self._spent()}

    def _begin(self, index: int, block: Any) -> Iterator[dict[str, Any]]:
        if block.type == "tool_use":
            call = {"index": len(self._calls), "id": block.id, "told": False}
            self._calls[index] = call
            self._thoughts.keep(block.id, self._thinking)
            function = {"name": block.name, "arguments": ""}
            yield self._chunk({"tool_calls": [{**_only(call), "type": "function", "function": function}]})
        elif block.type == "thinking":
            self._thinking.append({"type": "thinking", "thinking": block.thinking, "signature": block.signature})
        elif block.type == "redacted_thinking":
            self._thinking.append({"type": "redacted_thinking", "data": block.data})
        elif block.type == "text" and block.text:
            yield self._chunk({"content": block.text})

    def _go_on(self, index: int, delta: Any) -> Iterator[dict[str, Any]]:
        if delta.type == "text_delta":
            yield self._chunk({"content": delta.text})
        elif delta.type == "input_json_delta" and delta.partial_json:
            yield self._arguments(index, delta.partial_json)
        elif delta.type == "thinking_delta":
            self._thinking[-1]["thinking"] += delta.thinking
            yield self._chunk({"reasoning_content": delta.thinking})
        elif delta.type == "signature_delta":
            self._thinking[-1]["signature"] += delta.signature

    def _end(self, index: int) -> Iterator[dict[str, Any]]:
        """A call without arguments has to say so: its reader parses them."""
        if index in self._calls and not self._calls[index]["told"]:
            yield self._arguments(index, "{}")

    def _arguments(self, index: int, piece: str) -> dict[str, Any]:
        call = self._calls[index]
        call["told"] = True
        return self._chunk({"tool_calls": [{"index": call["index"], "function": {"arguments": piece}}]})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return self._common | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    def _count(self, usage: Any) -> None:
        """The counts so far: what a later event says replaces what an earlier one said."""
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"):
            if (value := getattr(usage, name, None)) is not None:
                self._usage[name] = value
        details = getattr(usage, "output_tokens_details", None)
        if details is not None:
            self._usage["thinking"] = details.thinking_tokens

    def _spent(self) -> dict[str, Any]:
        """In OpenAI's words, where the prompt includes what came from a cache."""
        get = self._usage.get
        cached = get("cache_read_input_tokens", 0)
        prompt = get("input_tokens", 0) + get("cache_creation_input_tokens", 0) + cached
        answer = get("output_tokens", 0)
        spent: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        if cached:
            spent["prompt_tokens_details"] = {"cached_tokens": cached}
        if get("thinking"):
            spent["completion_tokens_details"] = {"reasoning_tokens": get("thinking")}
        return spent


def _only(call: Mapping[str, Any]) -> dict[str, Any]:
    return {"index": call["index"], "id": call["id"]}
