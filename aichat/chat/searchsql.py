"""Asking the index of what was said, in each database's words; `migrations/_search.py` makes it.

A word in a script without gaps is found wherever it stands, any other one where a word begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from aichat.chat.scripts import UNSPACED

__all__ = ["find_postgresql", "find_sqlite"]

_PIECES = re.compile(f"[{UNSPACED}]|[^{UNSPACED}]+")
_PART = re.compile(f"[{UNSPACED}]")
_THREE = 3
#: Conversation and message.
_Hit = tuple[Any, Any]

_SQLITE_ROWS = """
JOIN chat_conversation c ON c.id = r.conversation_id LEFT JOIN chat_message m ON m.id = r.message_id
WHERE c.user_id = %s AND c.deleted_at IS NULL AND (m.id IS NULL OR m.role <> 'tool')
"""
_SQLITE_WORDS = f"""
SELECT r.conversation_id, r.message_id, bm25(chat_search) AS rank
FROM chat_search JOIN chat_search_row r ON r.id = chat_search.rowid {_SQLITE_ROWS} AND chat_search MATCH %s
ORDER BY r.message_id IS NOT NULL, rank LIMIT %s
"""
_SQLITE_PARTS = f"""
SELECT r.conversation_id, r.message_id FROM chat_search_row r {_SQLITE_ROWS} AND %%s
ORDER BY r.message_id IS NOT NULL, r.id DESC LIMIT %s
"""
_WORD = "r.id IN (SELECT rowid FROM chat_search WHERE chat_search MATCH %s)"
_PART_OF_TEXT = "r.id IN (SELECT rowid FROM chat_search_parts WHERE chat_search_parts MATCH %s)"
_SHORT_PART = "r.id IN (SELECT doc FROM chat_search_terms WHERE term >= %s AND term < %s)"
_AFTER_PART = "lower(coalesce(m.content, c.title)) GLOB %s"

_POSTGRESQL = """
WITH asked AS (SELECT to_tsquery('simple', %s) AS query, %s::text[] AS parts)
SELECT id, message_id FROM (
SELECT c.id, NULL::uuid AS message_id, ts_rank(c.search, query) AS rank, 0 AS part
FROM chat_conversation c, asked
WHERE c.search @@ query AND c.title ILIKE ALL (asked.parts) AND c.user_id = %s AND c.deleted_at IS NULL
UNION ALL
SELECT c.id, m.id, ts_rank(m.search, query), 1
FROM chat_message m JOIN chat_conversation c ON c.id = m.conversation_id, asked
WHERE m.search @@ query AND m.content ILIKE ALL (asked.parts) AND c.user_id = %s AND c.deleted_at IS NULL
AND m.role <> 'tool'
) AS found ORDER BY part, rank DESC LIMIT %s
"""


def find_sqlite(cursor: Any, words: Sequence[str], user_id: int, limit: int) -> list[_Hit]:
    """Those with all words, the last as a beginning. The best first; the newest where parts of texts are looked for."""
    found: list[_Hit] = []
    if not any(map(_PART.search, words)):
        asked = " AND ".join(f'"{word}"' for word in words) + "*"
        found = [row[:2] for row in cursor.execute(_SQLITE_WORDS, [user_id, asked, limit]).fetchall()]
        if len(found) == limit or not cursor.execute("SELECT 1 FROM chat_search_parts LIMIT 1").fetchone():
            return found
    conditions, values = zip(*_sqlite_conditions(words), strict=True)
    statement = _SQLITE_PARTS.replace("%%s", " AND ".join(conditions))
    more = cursor.execute(statement, [user_id, *(one for each in values for one in each), limit]).fetchall()
    return list(dict.fromkeys([*found, *more]))[:limit]


def _sqlite_conditions(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    for number, word in enumerate(words, 1):
        part, values = _sqlite_part(word.lower())
        if _PART.search(word):
            yield part, values
        else:
            whole = f'"{word}"' + ("*" if number == len(words) else "")
            yield f"({_WORD} OR {part} AND {_AFTER_PART})", [whole, *values, f"*[{UNSPACED}]{word.lower()}*"]


def _sqlite_part(word: str) -> tuple[str, list[str]]:
    """What has this anywhere; the index has threes, so what is shorter is the beginning of one."""
    if len(word) < _THREE:
        return _SHORT_PART, [word, word + chr(0x10FFFF)]
    return _PART_OF_TEXT, [f'"{word}"']


def find_postgresql(cursor: Any, words: Sequence[str], user_id: int, limit: int) -> list[_Hit]:
    """The same. The index has each character of a script without gaps; that they follow each other is read."""
    parts = [f"%{word}%" for word in words if _PART.search(word)]
    cursor.execute(_POSTGRESQL, [_tsquery(words), parts, user_id, user_id, limit])
    return [(one, other) for one, other in cursor.fetchall()]


def _tsquery(words: Sequence[str]) -> str:
    pieces = [piece for word in words for piece in _PIECES.findall(word)]
    ends = [""] * (len(pieces) - 1) + ["" if _PART.match(pieces[-1]) else ":*"]
    return " & ".join(
        "(" + " | ".join(f"'{one}'{end}" for one in _cases(word)) + ")" for word, end in zip(pieces, ends, strict=True)
    )


def _cases(word: str) -> list[str]:
    """A database whose locale is C sees no relation between large and small letters other than A to Z."""
    return [word] if word.isascii() else sorted({word, word.lower(), word.upper(), word.capitalize()})
