"""What every format is turned into, and how values of unknown worth are read."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "ImportedConversation",
    "ImportedFile",
    "ImportedMessage",
    "Unreadable",
    "children_of",
    "data_url_bytes",
    "number",
    "parents_first",
    "text",
    "time_of",
]

_DATA_URL = re.compile(r"data:[^,;]*(?:;[^,;]*)*;base64,", re.IGNORECASE)


class Unreadable(Exception):
    """This conversation, or the whole file, cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file that was sent along."""

    name: str
    data: bytes


@dataclass(slots=True)
class ImportedMessage:
    """A message under the key that the others name it by. `data` is OpenAI's shape, `fields` the row's further ones."""

    key: str
    parent: str | None
    data: dict[str, Any]
    created_at: datetime | None = None
    files: list[ImportedFile] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class ImportedConversation:
    """A conversation. A parent comes before its children, an older sibling before a younger one."""

    key: str
    title: str
    messages: list[ImportedMessage]
    leaf: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    fields: dict[str, Any] = field(default_factory=dict)


def children_of(nodes: Mapping[str, Mapping[str, Any]], parent: str, children: str) -> dict[str, list[str]]:
    """Who follows whom. Each node says so itself (`parent`); the parent's list of `children` only has the order."""
    following: dict[str, list[str]] = {}
    for key, node in nodes.items():
        if node.get(parent) in nodes:
            following.setdefault(str(node[parent]), []).append(key)
    for key, found in following.items():
        listed = {child: place for place, child in enumerate(nodes[key].get(children) or ())}
        found.sort(key=lambda child: listed.get(child, len(listed)))
    return following


def text(value: Any, limit: int | None = None) -> str:
    """Text, or nothing. A NUL is in no text that a database takes."""
    return value.replace("\x00", "")[:limit] if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """A number, or nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def time_of(value: Any) -> datetime | None:
    """A point in time from seconds, milliseconds or nanoseconds since 1970, or as ISO 8601 writes it."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        seconds = number(value)
        if seconds is None or seconds <= 0:
            return None
        while seconds > 1e11:
            seconds /= 1000
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def data_url_bytes(url: Any) -> bytes | None:
    """What is in a `data:` URL; None for any other."""
    found = _DATA_URL.match(url) if isinstance(url, str) else None
    if found is None:
        return None
    try:
        return base64.b64decode(url[found.end() :], validate=True)
    except binascii.Error:
        return None


def parents_first(
    roots: Iterable[str], children: Callable[[str], Iterable[str]], make: Callable[[str], ImportedMessage | None]
) -> list[ImportedMessage]:
    """All messages of a tree. One that `make` makes nothing of is left out; what follows it follows its parent then."""
    waiting: list[tuple[str, str | None]] = [(key, None) for key in reversed(list(roots))]
    found: list[ImportedMessage] = []
    seen: set[str] = set()
    while waiting:
        key, parent = waiting.pop()
        if key in seen:
            raise Unreadable("its messages follow each other in a circle")
        seen.add(key)
        message = make(key)
        if message is not None:
            message.parent = parent
            found.append(message)
        below = message.key if message is not None else parent
        waiting += [(child, below) for child in reversed(list(children(key)))]
    return found
