"""Replacing private data in a text, and in a text that arrives bit by bit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from .kinds import KINDS, Span

__all__ = ["MAX_HELD", "Finder", "Found", "Redactor", "Stream", "replaced"]

#: Where one kind of private data is in a text.
Finder = Callable[[str], Iterator[Span]]

#: The longest tail of a stream that is held back, in characters: a private key fits in.
MAX_HELD = 8192
_ROUNDS = 4
_LONG, _REMEMBERED = 400, 4096

# What may be the beginning of something private, at the end of a text, and how far back that can be. Words of other
# scripts are held only as far as an address reaches, so that languages without spaces still stream.
_MAY_GO_ON = [
    (re.compile(r"(?<![!-~])[!-~]+\Z"), MAX_HELD),
    (re.compile(r"[\w.+%\-@]{1,64}\Z"), 64),
    (re.compile(r"[+(]?\d[\d \u00a0().\-–/]{0,48}\Z"), 50),
    (re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9 ]{0,40}\Z"), 44),
    (re.compile(r"\b[Bb]earer(?: [!-~]*)?\Z"), MAX_HELD),
    (re.compile(r"-----BEGIN[A-Z \-]{0,40}\Z"), 50),
    (re.compile(r"\b(?i:tele(?:fon|phone)|tel|phone|mobile|mobil|handy|fax)[ .:\w()+\-/]{0,40}\Z"), 50),
]


class Found(NamedTuple):
    """Where something private is, and of which kind."""

    start: int
    end: int
    kind: str


class Redactor:
    """Finds the given kinds and writes something else in their place."""

    def __init__(self, kinds: Iterable[str], style: str = "typed", own: Mapping[str, Finder] | None = None) -> None:
        """`own` are finders by the name of their kind; they win over the kinds that come with the plugin."""
        wanted = set(kinds)
        self._finders = {**(own or {}), **{name: find for name, find in KINDS.items() if name in wanted}}
        self._style = style
        self._known: dict[bytes, list[Found]] = {}

    def redact(self, text: str, spared: Container[str] = ()) -> str:
        """The text without what is private, but for what is `spared`. Redacting the result again changes nothing."""
        for _ in range(_ROUNDS):
            found = [one for one in self.find(text) if text[one.start : one.end] not in spared]
            if not found:
                break
            text = replaced(text, found, lambda one: self._instead(one.kind))
        return text

    def find(self, text: str) -> list[Found]:
        """Where something private is: in order, without overlaps.

        A conversation is looked through with each of its requests, so what was found in long texts is remembered; by
        a hash, not with the text.
        """
        if len(text) < _LONG:
            return self._look(text)
        name = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[name] = self._look(text)
        return found

    def _look(self, text: str) -> list[Found]:
        found: list[Found] = []
        for kind, find in self._finders.items():
            found += [Found(start, end, kind) for start, end in find(text)]
        rank = {kind: place for place, kind in enumerate(self._finders)}
        merged: list[Found] = []
        for one in sorted(found):
            if merged and one.start < merged[-1].end:
                last = merged[-1]
                kind = min(last.kind, one.kind, key=rank.__getitem__)
                merged[-1] = Found(last.start, max(last.end, one.end), kind)
            else:
                merged.append(one)
        return merged

    def _instead(self, kind: str) -> str:
        return {"typed": f"[{kind}]", "stars": "****", "remove": ""}[self._style]


def replaced(text: str, found: Iterable[Found], instead: Callable[[Found], str]) -> str:
    """The text with something else in place of what was found."""
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], instead(one)]
        at = one.end
    return "".join([*parts, text[at:]])


class Stream:
    """A text that arrives in pieces. What may still become private is held back until it is clear."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown after this piece; it may be nothing."""
        text = self._held + piece
        cut = self._cut(text)
        self._held = text[cut:]
        return self._redactor.redact(text[:cut])

    def finish(self) -> str:
        """What was held back, at the end of the stream."""
        text, self._held = self._held, ""
        return self._redactor.redact(text)

    def _cut(self, text: str) -> int:
        """Everything before is settled."""
        starts = [
            match.start() for pattern, reach in _MAY_GO_ON if (match := pattern.search(text, max(0, len(text) - reach)))
        ]
        cut = min(starts, default=len(text))
        # Never through something private: what reaches over the cut, or to the end, is held as a whole.
        for start, end, _ in self._redactor.find(text):
            if start < cut and (cut < end or end == len(text)):
                cut = start
        return cut if len(text) - cut <= MAX_HELD else len(text)
