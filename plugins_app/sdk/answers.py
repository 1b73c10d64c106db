"""From the chunks of a streamed answer to the chat completion they add up to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Mapping
from typing import Any

from .errors import PluginError

__all__ = ["add_call", "chunk_problem", "completion_problem", "message_problem", "whole_answer"]

_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
#: For isinstance, which sees a dict in no time when it need not ask an abstract class.
_MAPPING = (dict, Mapping)
_TEXT_OR_NONE = (str, type(None))


async def whole_answer(chunks: AsyncIterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a stream of OpenAI's chunks adds up to: text, reasoning and tool calls of every choice, and the usage.

    Raises:
        PluginError: one of them is no chunk.
    """
    head: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    usage: Mapping[str, Any] | None = None
    async for chunk in chunks:
        if problem := chunk_problem(chunk):
            raise PluginError(f"stream_completion yielded {problem}")
        head = head or {key: chunk[key] for key in ("id", "created", "model") if key in chunk}
        usage = chunk.get("usage") or usage
        for piece in chunk.get("choices") or ():
            _add(choices.setdefault(piece.get("index", 0), {"message": {"role": "assistant", "content": None}}), piece)
    if not choices:  # nothing came: that is an empty answer, as it is for those who read the stream
        choices[0] = {"message": {"role": "assistant", "content": None}}
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
    for part in delta.get("tool_calls") or ():
        add_call(choice.setdefault("calls", {}), part)


def add_call(calls: dict[int, dict[str, Any]], part: Mapping[str, Any]) -> int:
    """Append a piece of a call to the one it belongs to; return its index. Names and arguments come in fragments."""
    index = _index_of(calls, part)
    call = calls.setdefault(index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    call["id"] = part.get("id") or call["id"] or f"call_{index}"
    function, arguments = call["function"], (part.get("function") or {}).get("arguments")
    function["name"] += (part.get("function") or {}).get("name") or ""
    if arguments:
        function["arguments"] += arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return index


def _index_of(calls: Mapping[int, Mapping[str, Any]], part: Mapping[str, Any]) -> int:
    """The index of the call that `part` is of. Some servers give none, or 0 to all: there a name begins a call."""
    last = max(calls, default=0)
    is_numbered = isinstance(part.get("index"), int)
    index: int = part["index"] if is_numbered else last
    if index not in calls or not (part.get("function") or {}).get("name"):
        return index
    known, own = calls[index]["id"], part.get("id")
    is_same = own in (known, None, "") if is_numbered else own == known
    return index if is_same else last + 1


def completion_problem(answer: Any) -> str | None:
    """What keeps this from being a chat completion; None when it is one."""
    choices = answer.get("choices") if isinstance(answer, _MAPPING) else None
    if not isinstance(choices, list) or not choices:
        return f"{_named(answer)} instead of a chat completion, {{'choices': [{{'message': {{...}}}}]}}"
    for choice in choices:
        if not isinstance(choice, _MAPPING) or not isinstance(choice.get("message"), _MAPPING):
            return "a chat completion with a choice that has no message"
        if problem := message_problem(choice["message"]) or _reason_problem(choice):
            return problem
    return None


def chunk_problem(chunk: Any) -> str | None:
    """What keeps this from being a chunk of a chat completion; None when it is one. Short: answers have thousands."""
    choices = chunk.get("choices") if isinstance(chunk, _MAPPING) else None
    if not isinstance(choices, list):
        return f"{_named(chunk)} instead of a chunk, {{'choices': [{{'delta': {{...}}}}]}}"
    for choice in choices:
        if not isinstance(choice, _MAPPING):
            return f"a choice that is {_named(choice)}"
        delta = choice.get("delta")
        if delta is None and choice.get("message"):
            return "a choice with a message; a chunk has a delta"
        if problem := (message_problem(delta) if delta is not None else None) or _reason_problem(choice):
            return problem
    return None


def message_problem(message: Any) -> str | None:
    """What keeps this from being a model's message, or a piece of one; None when it is one."""
    if not isinstance(message, _MAPPING):
        return f"a message that is {_named(message)}"
    if len(message) == 1 and type(message.get("content")) is str:  # nearly every piece of a stream
        return None
    for name in _TEXTS:
        if not isinstance(message.get(name), _TEXT_OR_NONE):
            return f"a message whose {name} is {_named(message[name])}, not text"
    calls = message.get("tool_calls")
    if calls is None or (isinstance(calls, list) and all(map(_is_call, calls))):
        return None
    return "a message whose tool_calls are no list of calls, [{'id', 'function': {'name', 'arguments'}}]"


def _is_call(part: Any) -> bool:
    function = (part.get("function") or {}) if isinstance(part, _MAPPING) else None
    return isinstance(function, _MAPPING) and isinstance(function.get("name"), _TEXT_OR_NONE)


def _reason_problem(choice: Mapping[str, Any]) -> str | None:
    reason = choice.get("finish_reason")
    return None if isinstance(reason, _TEXT_OR_NONE) else f"a finish_reason that is {_named(reason)}, not text"


def _named(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a dict with {', '.join(map(repr, list(value)[:5])) or 'nothing in it'}"
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _finished(index: int, choice: dict[str, Any]) -> dict[str, Any]:
    message, calls = choice["message"], choice.get("calls") or {}
    if calls:
        message["tool_calls"] = [calls[key] for key in sorted(calls)]
    reason = choice.get("finish_reason") or ("tool_calls" if calls else "stop")
    finished = {"index": index, "message": message, "finish_reason": reason}
    return finished | ({"logprobs": choice["logprobs"]} if "logprobs" in choice else {})
