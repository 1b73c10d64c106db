"""What a conversation is called: the first words of it, and then what a model makes of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from aichat.chat.values import storable

__all__ = ["cleaned_title", "first_words", "title_request"]

_LIMIT = 60
#: What is longer than this is no title, but an answer to something else.
_LONGEST, _MOST_WORDS = 80, 12
_QUESTION, _ANSWER = 2000, 500
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_LABEL = re.compile(r"^(?:title|titel|titre|t[ií]tulo)\s*:\s*", re.IGNORECASE)
_AROUND = " \t\"'`*_#“”„‟«»‘’."
# One line, and long: a model that only repeats what it is told makes no title of it.
_ASK = (
    "Write a title of two to six words for the conversation below, in the language of the conversation. "
    "Answer with nothing but the title: no quotation marks, no full stop, no explanation."
)


def first_words(messages: Sequence[dict[str, Any]]) -> str:
    """The first thing the user said, on one line, shortened at a word."""
    said = next((message["content"] for message in messages if message["role"] == "user"), "")
    if isinstance(said, list):
        said = " ".join(part["text"] for part in said if isinstance(part.get("text"), str))
    return _shortened(storable(said or ""))


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= _LIMIT:
        return text
    head, space, _ = text[:_LIMIT].rpartition(" ")
    return f"{head if space else text[: _LIMIT - 1]}…"


def title_request(question: str, answer: str) -> list[dict[str, Any]]:
    """What a model is told so that it makes a title."""
    said = f"User: {question[:_QUESTION]}\n\nAssistant: {answer[:_ANSWER]}"
    return [{"role": "user", "content": f"{_ASK}\n\n{said}\n\nTitle:"}]


def cleaned_title(text: str) -> str:
    """The title in a model's answer; empty when that is none."""
    lines = [line.strip() for line in _THOUGHTS.sub("", storable(text)).splitlines()]
    line = next((line for line in lines if line.strip(_AROUND)), "")
    title = " ".join(_LABEL.sub("", line.strip(_AROUND)).strip(_AROUND).split())
    fits = len(title) <= _LONGEST and len(title.split()) <= _MOST_WORDS and not title.startswith("<")
    return title if fits else ""
