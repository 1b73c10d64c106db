"""Typst code that can be trusted: whatever people and models wrote is inside string literals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["array", "breakable", "call", "is_rtl", "joined", "string", "words"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_LONG_WORD = re.compile(r"[^\s\u200b]{40,}")
_RUN = re.compile(r".{1,12}", re.DOTALL)


def string(text: str) -> str:
    """A string literal."""
    clean = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return '"' + clean.encode("utf-8", "replace").decode().replace("\\", "\\\\").replace('"', '\\"') + '"'


def breakable(text: str) -> str:
    """The text with invisible places to break in words that no line could hold."""
    return _LONG_WORD.sub(_broken, text)


def _broken(found: re.Match[str]) -> str:
    word = found[0]
    # Scripts without spaces break by themselves; in joined ones a break would tear letters apart.
    return "\u200b".join(_RUN.findall(word)) if word.isascii() else word


def words(text: str) -> str:
    """Content of text: each run of spaces is one."""
    return f"text({string(breakable(text))})" if text else ""


def call(function: str, *arguments: str, **named: str) -> str:
    """A call of a function of the template."""
    given = [*arguments, *(f"{name.replace('_', '-')}: {value}" for name, value in named.items())]
    return f"{function}({', '.join(given)})"


def joined(pieces: Iterable[str]) -> str:
    """Content made of contents."""
    found = [piece for piece in pieces if piece]
    return "{" + "\n".join(found) + "}" if found else "[]"


def array(items: Iterable[str]) -> str:
    """An array, also of one item or none."""
    return "(" + "".join(f"{item}, " for item in items) + ")"


def is_rtl(text: str) -> bool:
    """Whether the first letter that has a direction goes to the left."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False
