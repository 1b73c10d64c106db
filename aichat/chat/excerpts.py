"""What is shown of a text in which words were found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from aichat.chat.scripts import UNSPACED

__all__ = ["excerpt"]

_INDEXED = 100_000
_BEFORE, _AFTER = 60, 120
_PART = re.compile(f"[{UNSPACED}]")
#: What stands between gaps: white space, punctuation and signs; and between scripts that have none.
_TOKEN = re.compile(rf"[^\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xbf\u2000-\u206f\u3000-\u303f{UNSPACED}]+")


def excerpt(text: str, words: Sequence[str]) -> list[dict[str, Any]]:
    """The words with what stands around the first of them: `[{"text", "hit"}]`."""
    spans = list(_spans(text[:_INDEXED], words))
    first = spans[0][0] if spans else 0
    start, end = _edges(text, first)
    pieces: list[dict[str, Any]] = [{"text": "…", "hit": False}] if start else []
    at = start
    for begin, stop in spans:
        if begin < at or stop > end:
            continue
        pieces += [{"text": text[at:begin], "hit": False}, {"text": text[begin:stop], "hit": True}]
        at = stop
    pieces.append({"text": text[at:end] + ("…" if end < len(text) else ""), "hit": False})
    return [piece for piece in pieces if piece["text"]]


def _edges(text: str, first: int) -> tuple[int, int]:
    """From a word's beginning to a word's end, some way around `first`."""
    start = max(0, first - _BEFORE)
    if start and (space := text.find(" ", start, first)) >= 0:
        start = space + 1
    end = min(len(text), first + _AFTER)
    if end < len(text) and (space := text.rfind(" ", first + 1, end)) > 0:
        end = max(space, first + 1)
    return start, end


def _spans(text: str, words: Sequence[str]) -> Iterable[tuple[int, int]]:
    """Where the words stand in `text`, as the index sees it: neither case nor accents count."""
    inner = [word for word in words if _PART.search(word)]
    whole = [word for word in words if word not in inner]
    spans = [found.span() for word in inner for found in re.finditer(re.escape(word), text, re.IGNORECASE)]
    return sorted([*spans, *_word_spans(text, whole, words[-1] if words and words[-1] not in inner else "")])


def _word_spans(text: str, words: Sequence[str], beginning: str) -> Iterable[tuple[int, int]]:
    wanted, last = {_folded(word) for word in words}, _folded(beginning)
    for token in _TOKEN.finditer(text):
        folded = _folded(token[0])
        if folded in wanted:
            yield token.span()
        elif last and folded.startswith(last):
            yield token.start(), min(token.start() + len(last), token.end())


def _folded(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
