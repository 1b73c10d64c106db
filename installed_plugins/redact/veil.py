"""Placeholders for what is private in one request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from .redaction import Found, Redactor, replaced

__all__ = ["Veil", "placeholders_in"]

_ROUNDS = 4
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_]*_\d+>")
_NAME = re.compile(r"(?<![A-Z0-9_])[A-Z][A-Z0-9_]*_\d+")


class Veil:
    """Hides what is private in the texts of one request: the same each time it occurs, numbered as it comes."""

    def __init__(self, redactor: Redactor, taken: Iterable[str] = ()) -> None:
        """`taken` are names of placeholders that stand in the request already, as somebody's own words."""
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
            name = f"{kind}_{self._numbers[kind]}"
            if name not in self._taken:
                return f"<{name}>"


def placeholders_in(value: Any) -> set[str]:
    """The names of placeholders that occur anywhere in a request's data, with and without their brackets."""
    return set(_NAME.findall(json.dumps(value, ensure_ascii=False)))


def _touches(one: Found, spans: Iterable[tuple[int, int]]) -> bool:
    return any(one.start < end and start < one.end for start, end in spans)
