"""Code as coloured runs."""

from __future__ import annotations

from itertools import groupby

from pygments import lex
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType
from pygments.util import ClassNotFound

from .runs import Look, runs
from .xml import Xml

__all__ = ["code_runs"]

_COLOURS = (
    (Comment, "6A737D"),
    (Keyword, "B3261E"),
    (Operator.Word, "B3261E"),
    (String, "1B6E32"),
    (Number, "7B3FA0"),
    (Name.Function, "1A56B0"),
    (Name.Class, "1A56B0"),
    (Name.Tag, "1A56B0"),
)
_LONGEST_HIGHLIGHTED = 50_000


def code_runs(text: str, language: str) -> list[Xml]:
    """Runs in the colours of the language, where it is known."""
    found: list[Xml] = []
    for colour, pieces in groupby(_coloured(text, language), key=lambda piece: piece[0]):
        found += runs("".join(words for _, words in pieces), Look(colour=colour, code=True, in_block=True))
    return found


def _coloured(text: str, language: str) -> list[tuple[str, str]]:
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        lexer = None
    if lexer is None or len(text) > _LONGEST_HIGHLIGHTED:
        return [("", text)]
    return [(_colour(kind), words) for kind, words in lex(text, lexer)]


def _colour(kind: _TokenType) -> str:
    return next((colour for group, colour in _COLOURS if kind in group), "")
