"""The way back from placeholders to what they stand for, in whole texts and in such as arrive in pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

__all__ = ["Restorer", "Restoring"]

#: What a name without brackets must not touch. Only ASCII: in scripts without spaces everything else touches a word.
_WORD = "A-Za-z0-9_"
_NAME = r"[A-Z][A-Z0-9_]*_\d+"


class Restorer:
    """Puts the originals of one request back, into prose or into the JSON of a tool call's arguments.

    Models forget the brackets at times, so a name that stands for itself counts as well: `EMAIL_1`, but not `EMAIL_10`.
    """

    def __init__(self, originals: Mapping[str, str]) -> None:
        """`originals` by placeholder, such as `<EMAIL_1>`."""
        self._prose = _Names(originals, _bare(originals))
        quoted = {name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in originals.items()}
        # Some servers write < and > as escapes in JSON.
        escaped = {name.replace("<", r"\u003c").replace(">", r"\u003e"): value for name, value in quoted.items()}
        self._json = _Names(quoted | escaped, _bare(quoted), before=r"|(?<=\\[nrtbf])")

    def restore(self, text: str, *, before: str = "", in_json: bool = False) -> str:
        """The text with the originals in it; `before` is what came before it, of which the end is enough."""
        return (self._json if in_json else self._prose).restore(before, text)

    def open_end(self, text: str, *, before: str = "", in_json: bool = False) -> int:
        """Where a placeholder may have begun that is not complete; the text's length when none has."""
        return (self._json if in_json else self._prose).open_end(before, text)


class _Names:
    """What stands for what in one kind of text; `before` says after what else a name may begin."""

    def __init__(self, bracketed: Mapping[str, str], bare: Mapping[str, str], *, before: str = "") -> None:
        self._originals = {**bracketed, **bare}
        begins = rf"(?:(?<![{_WORD}]){before})"
        self._begins = re.compile(begins)
        # Of any name, and then looked up: as fast with a thousand originals as with one.
        self._pattern = re.compile(rf"<{_NAME}>|\\u003c{_NAME}\\u003e|{begins}{_NAME}(?![{_WORD}])")
        self._beginnings = _beginnings(bracketed)
        self._bare_beginnings = _beginnings(bare) | frozenset(bare)  # a whole one may still turn out to be longer
        self._longest = max(map(len, self._originals), default=0)

    def restore(self, before: str, text: str) -> str:
        restored = self._pattern.sub(lambda match: self._originals.get(match[0], match[0]), before + text)
        return restored[len(before) :]

    def open_end(self, before: str, text: str) -> int:
        whole = before + text
        for length in range(min(len(text), self._longest), 0, -1):
            tail = text[-length:]
            if tail in self._beginnings:
                return len(text) - length
            if tail in self._bare_beginnings and self._begins.match(whole, len(whole) - length):
                return len(text) - length
        return len(text)


def _bare(originals: Mapping[str, str]) -> dict[str, str]:
    return {name[1:-1]: value for name, value in originals.items()}


def _beginnings(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name[:length] for name in names for length in range(1, len(name)))


class Restoring:
    """A text that arrives in pieces. What may become a placeholder is held back until it is clear."""

    def __init__(self, restorer: Restorer, *, in_json: bool = False) -> None:
        self._restorer, self._in_json = restorer, in_json
        self._held = ""
        self._before = ""

    def feed(self, piece: str) -> str:
        """What can be shown after this piece."""
        text = self._held + piece
        cut = self._restorer.open_end(text, before=self._before, in_json=self._in_json)
        self._held = text[cut:]
        return self._shown(text[:cut])

    def finish(self) -> str:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, ""
        return self._shown(held)

    def _shown(self, text: str) -> str:
        shown = self._restorer.restore(text, before=self._before, in_json=self._in_json)
        self._before = (self._before + text)[-2:]
        return shown
