"""Placeholders for what is private in one request, and the way back from them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .redaction import Found, Redactor, replaced

__all__ = ["Restorer", "Restoring", "Veil", "placeholders_in"]

_ROUNDS = 4
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_]*_\d+>")


class Veil:
    """Hides what is private in the texts of one request: the same each time it occurs, numbered as it comes."""

    def __init__(self, redactor: Redactor, taken: Iterable[str] = ()) -> None:
        """`taken` are placeholders that stand in the request already, as somebody's own words."""
        self._redactor = redactor
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}
        self._by_original: dict[str, str] = {}
        self.originals: dict[str, str] = {}

    def hide(self, text: str) -> str:
        """The text with placeholders; what stands in for something is never hidden again."""
        for _ in range(_ROUNDS):
            own = [match.span() for match in _PLACEHOLDER.finditer(text) if match[0] in self.originals]
            found = [one for one in self._redactor.find(text) if not _touches(one, own)]
            if not found:
                break
            source = text
            text = replaced(source, found, lambda one, source=source: self._placeholder(one, source))  # type: ignore[misc]
        return text

    def _placeholder(self, one: Found, text: str) -> str:
        original = text[one.start : one.end]
        if original not in self._by_original:
            made = self._next(one.kind.upper().replace("-", "_"))
            self._by_original[original], self.originals[made] = made, original
        return self._by_original[original]

    def _next(self, kind: str) -> str:
        while True:
            self._numbers[kind] = self._numbers.get(kind, 0) + 1
            made = f"<{kind}_{self._numbers[kind]}>"
            if made not in self._taken:
                return made


def placeholders_in(value: Any) -> set[str]:
    """The placeholders that occur anywhere in a request's data."""
    return set(_PLACEHOLDER.findall(json.dumps(value, ensure_ascii=False)))


def _touches(one: Found, spans: Iterable[tuple[int, int]]) -> bool:
    return any(one.start < end and start < one.end for start, end in spans)


class Restorer:
    """Puts the originals of one request back, into prose or into the JSON of a tool call's arguments."""

    def __init__(self, originals: Mapping[str, str]) -> None:
        self.originals = dict(originals)
        # Some servers write < and > as escapes in JSON.
        escaped = {name.replace("<", r"\u003c").replace(">", r"\u003e"): value for name, value in originals.items()}
        self._json = {name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in originals.items()}
        self._json |= {name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in escaped.items()}
        self._pattern = {False: _any_of(self.originals), True: _any_of(self._json)}
        self._beginnings = {False: _beginnings(self.originals), True: _beginnings(self._json)}

    def restore(self, text: str, *, in_json: bool = False) -> str:
        """The text with the originals in it."""
        names = self._json if in_json else self.originals
        return self._pattern[in_json].sub(lambda match: names[match[0]], text)

    def open_end(self, text: str, *, in_json: bool = False) -> int:
        """Where a placeholder may have begun that is not complete; the text's length when none has."""
        beginnings = self._beginnings[in_json]
        for length in range(min(len(text), max(map(len, beginnings), default=0)), 0, -1):
            if text[-length:] in beginnings:
                return len(text) - length
        return len(text)


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, names)) or r"(?!)")


def _beginnings(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name[:length] for name in names for length in range(1, len(name)))


class Restoring:
    """A text that arrives in pieces. What may become a placeholder is held back until it is clear."""

    def __init__(self, restorer: Restorer, *, in_json: bool = False) -> None:
        self._restorer, self._in_json = restorer, in_json
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown after this piece."""
        text = self._held + piece
        cut = self._restorer.open_end(text, in_json=self._in_json)
        self._held = text[cut:]
        return self._restorer.restore(text[:cut], in_json=self._in_json)

    def finish(self) -> str:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, ""
        return held
