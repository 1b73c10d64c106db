"""Storing conversations from elsewhere: each whole or not at all, and none twice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any
from uuid import UUID

import msgspec
from django.db import DataError, transaction
from django.utils import timezone

from aichat.chat.errors import ChatError
from aichat.chat.imports.reading import opened
from aichat.chat.imports.shapes import ImportedConversation, ImportedMessage, Unreadable
from aichat.chat.models import Attachment, Conversation, Message
from aichat.chat.services import make_message
from aichat.chat.services_attachments import attachment_add
from aichat.chat.titles import first_words
from plugins_app.services.room import require_room

__all__ = ["ImportOutcome", "conversations_import"]

_PROBLEMS = 100


@dataclass(slots=True)
class ImportOutcome:
    """What became of a file."""

    format: str
    imported: int = 0
    skipped: int = 0
    conversations: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)


def conversations_import(*, user_id: int, file: IO[bytes]) -> ImportOutcome:
    """Import what is in the file. A conversation that cannot be read is named, and the others come all the same.

    Raises:
        StudioError: the file is no export, or there is no room for it.
    """
    require_room(file.seek(0, os.SEEK_END))
    file.seek(0)
    with opened(file) as export:
        outcome = ImportOutcome(export.format)
        for number, read in enumerate(export, 1):
            _import_one(user_id, number, read, outcome)
    return outcome


def _import_one(user_id: int, number: int, read: Callable[[], ImportedConversation], outcome: ImportOutcome) -> None:
    title = f"Conversation {number}"
    try:
        found = read()
        title = found.title or title
        conversation = _store(user_id, outcome.format, found)
    except (Unreadable, ChatError, DataError) as error:
        if len(outcome.problems) < _PROBLEMS:
            outcome.problems.append({"title": title, "detail": _sentence(error)})
        return
    if conversation is None:
        outcome.skipped += 1
        return
    outcome.imported += 1
    outcome.conversations.append({"id": str(conversation.pk), "title": conversation.title})


def _sentence(error: Exception) -> str:
    words = str(error)[:1000].rstrip(". ")
    return f"{words[:1].upper()}{words[1:]}."


@transaction.atomic
def _store(user_id: int, kind: str, found: ImportedConversation) -> Conversation | None:
    """None when the user has it already."""
    source = f"{kind}:{found.key or _digest(found)}"[:200]
    if _is_there(user_id, source, found.key):
        return None
    said = [{"role": message.data["role"], "content": message.data["content"]} for message in found.messages]
    last = max((message.created_at for message in found.messages if message.created_at), default=None)
    conversation = Conversation.objects.create(
        user_id=user_id,
        title=found.title[:200] or first_words(said),
        titled_by=Conversation.TitledBy.USER if found.title else Conversation.TitledBy.WORDS,
        source=source,
        created_at=found.created_at or last or timezone.now(),
        updated_at=found.updated_at or last or timezone.now(),
        **found.fields,
    )
    rows = _rows(conversation, found.messages)
    Message.objects.bulk_create(rows.values())
    for message in found.messages:
        if message.files:
            rows[message.key].attachments.set(_attached(user_id, message))
    conversation.leaf = rows[found.leaf] if found.leaf else list(rows.values())[-1]
    conversation.model = conversation.model or _model_of(rows.values())
    conversation.save(update_fields=("leaf", "model"))
    return conversation


def _is_there(user_id: int, source: str, key: str) -> bool:
    mine = Conversation.objects.filter(user_id=user_id, deleted_at=None)
    if mine.filter(source=source).exists():
        return True
    try:
        return source.startswith("ai-chat-studio:") and mine.filter(pk=UUID(key)).exists()
    except ValueError:
        return False


def _digest(found: ImportedConversation) -> str:
    """What stands for the id of a conversation that has none."""
    said = [(message.data["role"], message.data["content"]) for message in found.messages]
    return hashlib.sha256(msgspec.json.encode([found.title, said])).hexdigest()


def _rows(conversation: Conversation, messages: list[ImportedMessage]) -> dict[str, Message]:
    rows: dict[str, Message] = {}
    for position, message in enumerate(messages):
        parent = rows[message.parent].pk if message.parent is not None else None
        fields = message.fields | {"created_at": message.created_at or conversation.created_at}
        rows[message.key] = make_message(conversation, message.data, parent_id=parent, position=position, **fields)
    return rows


def _attached(user_id: int, message: ImportedMessage) -> list[Attachment]:
    return [attachment_add(user_id=user_id, name=file.name, data=file.data) for file in message.files]


def _model_of(rows: Any) -> str:
    """The model that answered last."""
    return next((row.model for row in reversed(list(rows)) if row.model), "")
