"""A conversation as export plugins, and plugins that read conversations, get it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from aichat.chat import selectors
from aichat.chat.attachments import file_parts, with_parts
from aichat.chat.models import Conversation, Message

__all__ = ["export_data"]


def export_data(*, conversation: Conversation) -> dict[str, Any]:
    """The whole conversation: `messages` are the current branch, `branches` all messages of all branches.

    What says nothing, such as an answer that failed at once, is left out, unless something hangs on it.
    """
    tree = selectors.tree_of(conversation)
    rows = selectors.messages_of(conversation)
    parts = file_parts(rows)
    found = {message.pk: _message(message, parts) for message in rows}
    said = {message.pk for message in rows if _says_something(message)}
    path = tree.path(tree.end(conversation.leaf_id))
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "model": conversation.model or None,
        "system_prompt": conversation.system_prompt or None,
        "params": conversation.params,
        "pinned": conversation.pinned,
        "archived": conversation.archived,
        "messages": [found[key] for key in path if key in said],
        "branches": [found[key] for key in tree if key in found and (key in said or tree.has_children(key))],
    }


def _says_something(message: Message) -> bool:
    return bool(message.content or message.tool_calls or message.parts or message.attachments.all())


def _message(message: Message, parts: Mapping[UUID, dict[str, Any]]) -> dict[str, Any]:
    attached = [parts[one.pk] for one in message.attachments.all()]
    return {
        "id": str(message.pk),
        "parent_id": str(message.parent_id) if message.parent_id else None,
        "role": message.role,
        "content": with_parts(message.parts if message.parts is not None else message.content, attached),
        "reasoning": message.reasoning or None,
        "tool_calls": message.tool_calls,
        "tool_call_id": message.tool_call_id or None,
        "name": message.name or None,
        "model": message.model or None,
        "usage": message.usage,
        "cost": message.cost,
        "created_at": message.created_at.isoformat(),
        "status": message.status,
        "finish_reason": message.finish_reason or None,
        "duration_ms": message.duration_ms,
        "first_token_ms": message.first_token_ms,
        "generation": message.generation,
        "error": selectors.message_error(message),
    }
