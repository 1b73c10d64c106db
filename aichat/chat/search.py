"""Full-text search over what a user said and was told. The index is the database's own: `migrations/_search.py`."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from aichat.chat.searchsql import find_postgresql, find_sqlite

__all__ = ["Found", "search", "search_messages", "words_of"]

_HITS = 2000
_MATCHES = 3
_WORDS = 16


@dataclass(slots=True)
class Found:
    """A conversation with the words, and its best messages that have them."""

    conversation_id: UUID
    message_ids: list[UUID] = field(default_factory=list)


def words_of(query: str) -> list[str]:
    """What is looked for: words, without punctuation."""
    words = "".join(" " if _is_gap(character) else character for character in query).split()
    return [word for word in words if any(character.isalnum() for character in word)][:_WORDS]


def _is_gap(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind[0] in "PSZ" or kind == "Cc"


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
    find = find_sqlite if connection.vendor == "sqlite" else find_postgresql
    with connection.cursor() as cursor:
        hits = find(cursor, words, user_id, limit)
    return [(_uuid(one), None if other is None else _uuid(other)) for one, other in hits]


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
