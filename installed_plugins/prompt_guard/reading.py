"""Which texts of a request are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["length_of", "new_messages", "texts_of"]

Message = Mapping[str, Any]


def new_messages(request: Mapping[str, Any], roles: Sequence[str]) -> list[Message]:
    """What was not looked at before: in a conversation what came since the last answer, elsewhere everything.

    Whoever sends a whole conversation to the API may have written all of it himself.
    """
    messages = [message for message in request.get("messages") or [] if isinstance(message, dict)]
    if request.get("purpose", "chat") == "chat":
        answered = [place for place, message in enumerate(messages) if _is_answer(message)]
        messages = messages[answered[-1] + 1 :] if answered else messages
    return [message for message in messages if message.get("role") in roles]


def _is_answer(message: Message) -> bool:
    return message.get("role") == "assistant" and not message.get("tool_calls")


def texts_of(message: Message) -> Iterator[str]:
    """Its content, and the text of its parts."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def length_of(messages: Sequence[Message]) -> int:
    """How many characters they have."""
    return sum(len(text) for message in messages for text in texts_of(message))
