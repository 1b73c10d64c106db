"""From the chunks of a streamed answer to the chat completion they add up to."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from typing import Any

from .errors import PluginError

__all__ = ["whole_answer"]


async def whole_answer(chunks: AsyncIterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a stream of OpenAI's chunks adds up to: text, reasoning and tool calls of every choice, and the usage.

    Raises:
        PluginError: one of them is no chunk.
    """
    head: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    usage: Mapping[str, Any] | None = None
    async for chunk in chunks:
        if not isinstance(chunk, Mapping) or not isinstance(chunk.get("choices"), list):
            raise PluginError("stream_completion yielded something that is not a chat completion chunk")
        head = head or {key: chunk[key] for key in ("id", "created", "model") if key in chunk}
        usage = chunk.get("usage") or usage
        for piece in chunk.get("choices") or ():
            _add(choices.setdefault(piece.get("index", 0), {"message": {"role": "assistant", "content": None}}), piece)
    return {
        **head,
        "object": "chat.completion",
        "choices": [_finished(index, choices[index]) for index in sorted(choices)],
        "usage": dict(usage) if usage else None,
    }


def _add(choice: dict[str, Any], piece: Mapping[str, Any]) -> None:
    choice["finish_reason"] = piece.get("finish_reason") or choice.get("finish_reason")
    message, delta = choice["message"], piece.get("delta") or {}
    for key, tokens in (piece.get("logprobs") or {}).items():
        known = choice.setdefault("logprobs", {})
        known[key] = [*(known.get(key) or ()), *tokens] if tokens else known.get(key)
    for key in ("content", "reasoning_content", "reasoning", "refusal"):
        if delta.get(key):
            message[key] = (message.get(key) or "") + delta[key]
    for position, part in enumerate(delta.get("tool_calls") or ()):
        _add_call(choice.setdefault("calls", {}), part, position)


def _add_call(calls: dict[int, dict[str, Any]], part: Mapping[str, Any], position: int) -> None:
    """Names and arguments come in fragments."""
    empty = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
    call = calls.setdefault(part.get("index", position), empty)
    call["id"] = part.get("id") or call["id"]
    for key in ("name", "arguments"):
        call["function"][key] += (part.get("function") or {}).get(key) or ""


def _finished(index: int, choice: dict[str, Any]) -> dict[str, Any]:
    message, calls = choice["message"], choice.get("calls") or {}
    if calls:
        message["tool_calls"] = [calls[key] for key in sorted(calls)]
    reason = choice.get("finish_reason") or ("tool_calls" if calls else "stop")
    finished = {"index": index, "message": message, "finish_reason": reason}
    return finished | ({"logprobs": choice["logprobs"]} if "logprobs" in choice else {})
