"""Putting text into the system prompt of a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["with_system_text"]

_SYSTEM = frozenset({"system", "developer"})

Message = dict[str, Any]


def with_system_text(messages: Sequence[Message], before: str, after: str, instead: str | None) -> list[Message]:
    """The messages with `before` and `after` around their system prompt, or around `instead` of it.

    There is one system message then, or as many as there were: models take several badly.
    """
    if instead is not None:
        others = [message for message in messages if message.get("role") not in _SYSTEM]
        return [{"role": "system", "content": _joined(before, instead, after)}, *others]
    index = next((place for place, message in enumerate(messages) if message.get("role") in _SYSTEM), None)
    if index is None:
        text = _joined(before, after)
        return [{"role": "system", "content": text}, *messages] if text else list(messages)
    changed = list(messages)
    changed[index] = changed[index] | {"content": _around(changed[index].get("content"), before, after)}
    return changed


def _around(content: Any, before: str, after: str) -> Any:
    if isinstance(content, list):
        parts = [[{"type": "text", "text": text}] if text else [] for text in (before, after)]
        return [*parts[0], *content, *parts[1]]
    return _joined(before, content if isinstance(content, str) else "", after)


def _joined(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)
