"""Full-text search over what a user said and was told. The index is the database's own: `migrations/_search.py`."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

__all__ = ["Found", "excerpt", "search", "search_messages", "words_of"]

_HITS = 2000
_INDEXED = 100_000
_MATCHES = 3
_BEFORE, _AFTER = 60, 120
_GAPS = str.maketrans(string.punctuation, " " * len(string.punctuation))
_WORDS = 16
#: What stands between gaps: white space, punctuation and signs.
_TOKEN = re.compile(r"[^\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xbf\u2000-\u206f\u3000-\u303f]+")

_SQLITE = """
SELECT r.conversation_id, r.message_id, bm25(chat_search) AS rank
FROM chat_search JOIN chat_search_row r ON r.id = chat_search.rowid
JOIN chat_conversation c ON c.id = r.conversation_id LEFT JOIN chat_message m ON m.id = r.message_id
WHERE chat_search MATCH %s AND c.user_id = %s AND c.deleted_at IS NULL AND (m.id IS NULL OR m.role <> 'tool')
ORDER BY r.message_id IS NOT NULL, rank LIMIT %s
"""
_POSTGRESQL = """
WITH asked AS (SELECT to_tsquery('simple', %s) AS query)
SELECT c.id, NULL::uuid, ts_rank(c.search, query) AS rank, 0 AS part
FROM chat_conversation c, asked WHERE c.search @@ query AND c.user_id = %s AND c.deleted_at IS NULL
UNION ALL
SELECT c.id, m.id, ts_rank(m.search, query), 1
FROM chat_message m JOIN chat_conversation c ON c.id = m.conversation_id, asked
WHERE m.search @@ query AND c.user_id = %s AND c.deleted_at IS NULL AND m.role <> 'tool'
ORDER BY part, rank DESC LIMIT %s
"""


@dataclass(slots=True)
class Found:
    """A conversation with the words, and its best messages that have them."""

    conversation_id: UUID
    message_ids: list[UUID] = field(default_factory=list)


def words_of(query: str) -> list[str]:
    """What is looked for: words, without punctuation."""
    words = query.translate(_GAPS).replace("\x00", " ").split()
    return [word for word in words if any(character.isalnum() for character in word)][:_WORDS]


def search(*, user_id: int, query: str) -> list[Found]:
    """The user's conversations whose title or one message has all the words, the last as a beginning; best first."""
    found: dict[UUID, Found] = {}
    for conversation_id, message_id in search_messages(user_id=user_id, query=query, limit=_HITS):
        one = found.setdefault(conversation_id, Found(conversation_id))
        if message_id is not None and len(one.message_ids) < _MATCHES:
            one.message_ids.append(message_id)
    return list(found.values())


def search_messages(*, user_id: int, query: str, limit: int) -> list[tuple[UUID, UUID | None]]:
    """The same as single hits: conversation and message, no message for a title."""
    words = words_of(query)
    if not words:
        return []
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(_SQLITE, [_sqlite_query(words), user_id, limit])
        else:
            cursor.execute(_POSTGRESQL, [_postgresql_query(words), user_id, user_id, limit])
        return [(_uuid(one), None if other is None else _uuid(other)) for one, other, *_ in cursor.fetchall()]


def _sqlite_query(words: Sequence[str]) -> str:
    return " AND ".join(f'"{word}"' for word in words) + "*"


def _postgresql_query(words: Sequence[str]) -> str:
    ends = [""] * (len(words) - 1) + [":*"]
    return " & ".join(
        "(" + " | ".join(f"'{one}'{end}" for one in _cases(word)) + ")" for word, end in zip(words, ends, strict=True)
    )


def _cases(word: str) -> list[str]:
    """A database whose locale is C sees no relation between large and small letters other than A to Z."""
    return [word] if word.isascii() else sorted({word, word.lower(), word.upper(), word.capitalize()})


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


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
    wanted, last = {_folded(word) for word in words}, _folded(words[-1]) if words else ""
    for token in _TOKEN.finditer(text):
        folded = _folded(token[0])
        if folded in wanted:
            yield token.span()
        elif last and folded.startswith(last):
            yield token.start(), min(token.start() + len(last), token.end())


def _folded(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
