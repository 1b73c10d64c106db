"""The full-text index of titles and messages, made by the database and kept right by it, whoever writes.

SQLite: two FTS5 tables without a copy of the texts, filled by triggers: `chat_search` has words, `chat_search_parts` every
three characters that follow each other, for texts with a script that has no gaps. `chat_search_terms` looks into it for
what is shorter; two blanks at the end make each character the first of three. Django makes a table anew when it alters
it, which drops its triggers: a later migration that alters `chat_message` or `chat_conversation` ends with `install`.
PostgreSQL: a generated column with a GIN index on each of the two tables, in which each character of such a script is a
word; nothing is lost there.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

from aichat.chat.scripts import UNSPACED

#: What of one text is indexed: PostgreSQL's tsvector holds a megabyte, and more than that must not be refused.
LIMIT = 100_000

#: Punctuation is a gap on both sides, so that `example.com` is found by "example".
_GAPS = string.punctuation.replace("'", "''")

#: The indexed column of each table, and the message that a new row of it is.
_SOURCES = {"chat_message": ("content", "NEW.id"), "chat_conversation": ("title", "NULL")}


def install(apps: Any, schema_editor: Any) -> None:
    """Make the index if it is not there, and put in what there is."""
    uninstall(apps, schema_editor)
    make = _sqlite if schema_editor.connection.vendor == "sqlite" else _postgresql
    for statement in make():
        schema_editor.execute(statement, params=None)


def uninstall(apps: Any, schema_editor: Any) -> None:
    """Take it away."""
    if schema_editor.connection.vendor == "sqlite":
        for table in _SOURCES:
            for event in ("insert", "update", "delete"):
                schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_search_{event}", params=None)
        for name in ("chat_search_terms", "chat_search_parts", "chat_search", "chat_search_row"):
            schema_editor.execute(f"DROP TABLE IF EXISTS {name}", params=None)
        return
    for table in _SOURCES:
        schema_editor.execute(f"ALTER TABLE {table} DROP COLUMN IF EXISTS search", params=None)


def _postgresql() -> Iterator[str]:
    for table, (text, _) in _SOURCES.items():
        words = f"translate(left({text}, {LIMIT}), '{_GAPS}', '{' ' * len(string.punctuation)}')"
        apart = f"regexp_replace({words}, '([{UNSPACED}])', ' \\1 ', 'g')"
        vector = f"to_tsvector('simple'::regconfig, {apart})"
        yield f"ALTER TABLE {table} ADD COLUMN search tsvector GENERATED ALWAYS AS ({vector}) STORED"
        yield f"CREATE INDEX {table}_search ON {table} USING gin (search)"


def _sqlite() -> Iterator[str]:
    yield (
        "CREATE TABLE chat_search_row (id INTEGER PRIMARY KEY, conversation_id char(32) NOT NULL, message_id char(32))"
    )
    yield "CREATE UNIQUE INDEX chat_search_message ON chat_search_row (message_id) WHERE message_id IS NOT NULL"
    yield "CREATE UNIQUE INDEX chat_search_title ON chat_search_row (conversation_id) WHERE message_id IS NULL"
    yield "CREATE VIRTUAL TABLE chat_search USING fts5 (text, content='', tokenize='unicode61 remove_diacritics 2')"
    yield "CREATE VIRTUAL TABLE chat_search_parts USING fts5 (text, content='', tokenize='trigram')"
    yield "CREATE VIRTUAL TABLE chat_search_terms USING fts5vocab (chat_search_parts, instance)"
    yield from _sqlite_triggers()
    yield from _sqlite_fill()


def _sqlite_triggers() -> Iterator[str]:
    for table, (text, message) in _SOURCES.items():
        gone, come = _sqlite_gone(table), _sqlite_come(table, text, message)
        yield f"CREATE TRIGGER {table}_search_insert AFTER INSERT ON {table} WHEN NEW.{text} <> '' BEGIN {come} END"
        yield f"CREATE TRIGGER {table}_search_delete AFTER DELETE ON {table} WHEN OLD.{text} <> '' BEGIN {gone} END"
        yield (
            f"CREATE TRIGGER {table}_search_update AFTER UPDATE OF {text} ON {table} "
            f"WHEN OLD.{text} <> NEW.{text} BEGIN {gone} {come} END"
        )


def _sqlite_come(table: str, text: str, message: str) -> str:
    conversation = "NEW.conversation_id" if table == "chat_message" else "NEW.id"
    which = _which("NEW", table)
    return (
        "INSERT INTO chat_search_row (conversation_id, message_id) "
        f"SELECT {conversation}, {message} WHERE NEW.{text} <> ''; "
        "INSERT INTO chat_search (rowid, text) "
        f"SELECT id, substr(NEW.{text}, 1, {LIMIT}) FROM chat_search_row WHERE {which}; "
        "INSERT INTO chat_search_parts (rowid, text) "
        f"SELECT id, {_padded(f'NEW.{text}')} FROM chat_search_row WHERE {which} AND {_has_parts(f'NEW.{text}')};"
    )


def _sqlite_gone(table: str) -> str:
    text, which = _SOURCES[table][0], _which("OLD", table)
    return (
        "INSERT INTO chat_search (chat_search, rowid, text) "
        f"SELECT 'delete', id, substr(OLD.{text}, 1, {LIMIT}) FROM chat_search_row WHERE {which}; "
        "INSERT INTO chat_search_parts (chat_search_parts, rowid, text) "
        f"SELECT 'delete', id, {_padded(f'OLD.{text}')} FROM chat_search_row "
        f"WHERE {which} AND {_has_parts(f'OLD.{text}')}; "
        f"DELETE FROM chat_search_row WHERE {which};"
    )


def _padded(text: str) -> str:
    return f"substr({text}, 1, {LIMIT}) || '  '"


def _has_parts(text: str) -> str:
    return f"substr({text}, 1, {LIMIT}) GLOB '*[{UNSPACED}]*'"


def _which(row: str, table: str) -> str:
    if table == "chat_message":
        return f"message_id = {row}.id"
    return f"conversation_id = {row}.id AND message_id IS NULL"


def _sqlite_fill() -> Iterator[str]:
    yield (
        "INSERT INTO chat_search_row (conversation_id, message_id) "
        "SELECT conversation_id, id FROM chat_message WHERE content <> '' "
        "UNION ALL SELECT id, NULL FROM chat_conversation WHERE title <> ''"
    )
    text = "coalesce(m.content, c.title)"
    rows = (
        "FROM chat_search_row r JOIN chat_conversation c ON c.id = r.conversation_id "
        "LEFT JOIN chat_message m ON m.id = r.message_id"
    )
    yield f"INSERT INTO chat_search (rowid, text) SELECT r.id, substr({text}, 1, {LIMIT}) {rows}"
    yield f"INSERT INTO chat_search_parts (rowid, text) SELECT r.id, {_padded(text)} {rows} WHERE {_has_parts(text)}"
