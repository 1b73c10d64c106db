"""Where the texts of a message are: its content, its reasoning, and the arguments of its tool calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["TEXT_FIELDS", "changed_arguments", "changed_message"]

TEXT_FIELDS = ("content", "reasoning_content", "reasoning", "refusal")

Change = Callable[[str], str]


def changed_message(message: dict[str, Any], change: Change) -> dict[str, Any]:
    """The message with every text changed that a model would read."""
    changed = {name: _content(message[name], change) for name in TEXT_FIELDS if message.get(name)}
    if message.get("tool_calls"):
        changed["tool_calls"] = [_call(call, change) for call in message["tool_calls"]]
    return message | changed


def _content(content: Any, change: Change) -> Any:
    """A string, or OpenAI's content parts, of which those with text are changed."""
    if isinstance(content, str):
        return change(content)
    if not isinstance(content, list):
        return content
    return [
        part | {"text": change(part["text"])} if isinstance(part, dict) and isinstance(part.get("text"), str) else part
        for part in content
    ]


def _call(call: Any, change: Change) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        return call
    return call | {"function": function | {"arguments": changed_arguments(function["arguments"], change)}}


def changed_arguments(arguments: str, change: Change) -> str:
    """JSON in which every text is changed, the names of fields too; what is no JSON is changed as it is."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return change(arguments)
    changed = _value(value, change)
    return arguments if changed == value else json.dumps(changed, ensure_ascii=False)


def _value(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_value(item, change) for item in value]
    if isinstance(value, dict):
        return {change(name): _value(item, change) for name, item in value.items()}
    return value
