"""What a conversation is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["first_words", "shortened"]

_LIMIT = 60


def first_words(messages: Sequence[dict[str, Any]]) -> str:
    """The first thing the user said, on one line, shortened at a word."""
    said = next((message["content"] for message in messages if message["role"] == "user"), "")
    if isinstance(said, list):
        said = " ".join(part["text"] for part in said if isinstance(part.get("text"), str))
    return shortened(said or "")


def shortened(text: str) -> str:
    """The text on one line, cut at a word when it is long."""
    text = " ".join(text.split())
    if len(text) <= _LIMIT:
        return text
    head, space, _ = text[:_LIMIT].rpartition(" ")
    return f"{head if space else text[: _LIMIT - 1]}…"
