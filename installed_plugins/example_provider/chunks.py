"""From an answer to OpenAI's stream chunks, and back."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["call_deltas", "collect", "pieces"]

_PIECE = re.compile(r"\s*\w+|\s*[^\w\s]+|\s+")
_ARGUMENT_PIECE = 16


def pieces(text: str) -> list[str]:
    """The text in pieces of about a word; joined, they are the text."""
    return _PIECE.findall(text)


def call_deltas(index: int, call: dict[str, Any]) -> list[dict[str, Any]]:
    """One tool call as a stream brings it: first who is called, then the arguments bit by bit."""
    function = call["function"]
    opening = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
    arguments = function["arguments"]
    bits = [arguments[at : at + _ARGUMENT_PIECE] for at in range(0, len(arguments), _ARGUMENT_PIECE)]
    return [{"content": None, "tool_calls": [opening]}] + [
        {"tool_calls": [{"index": index, "function": {"arguments": bit}}]} for bit in bits
    ]


def collect(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The chunks of one answer as the chat completion they add up to."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[int, dict[str, Any]] = {}
    finish, usage = "stop", {}
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            finish = choice["finish_reason"] or finish
            _add(message, calls, choice["delta"])
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    head = {key: chunks[0][key] for key in ("id", "created", "model")}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return head | {"object": "chat.completion", "choices": [choice], "usage": usage}


def _add(message: dict[str, Any], calls: dict[int, dict[str, Any]], delta: dict[str, Any]) -> None:
    for key in ("content", "reasoning_content"):
        if delta.get(key):
            message[key] = (message.get(key) or "") + delta[key]
    for part in delta.get("tool_calls", ()):
        call = calls.setdefault(
            part["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = part.get("id", call["id"])
        call["function"]["name"] += part["function"].get("name", "")
        call["function"]["arguments"] += part["function"].get("arguments", "")
