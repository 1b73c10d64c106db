"""The studio's own export: what the plugin `json-export` writes."""

from __future__ import annotations

from typing import Any

import msgspec

from aichat.chat.imports.shapes import (
    ImportedConversation,
    ImportedFile,
    ImportedMessage,
    Unreadable,
    data_url_bytes,
    number,
    parents_first,
    text,
    time_of,
)
from aichat.chat.models import Message
from aichat.chat.params import checked_params

__all__ = ["VERSION", "conversation"]

#: The newest version that can be read.
VERSION = 1
_ROLES = {role: role for role in ("user", "assistant", "tool", "system")} | {"developer": "system"}
_FINAL = (Message.Status.COMPLETE, Message.Status.ERROR, Message.Status.CANCELLED)


def conversation(item: dict[str, Any]) -> ImportedConversation:
    """One of the file's `conversations`.

    Raises:
        Unreadable: it does not hold to the format.
    """
    raw = item.get("messages")
    if not isinstance(raw, list) or not all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in raw):
        raise Unreadable("its `messages` are not a list of objects with an `id`")
    nodes = {one["id"]: one for one in raw}
    children: dict[str | None, list[str]] = {}
    for key, one in nodes.items():
        parent = one.get("parent_id")
        children.setdefault(parent if parent in nodes else None, []).append(key)
    messages = parents_first(children.get(None, ()), lambda key: children.get(key, ()), lambda key: _made(nodes[key]))
    branch = [key for key in item.get("current_branch") or () if key in nodes]
    return ImportedConversation(
        text(item.get("id")),
        text(item.get("title")),
        messages,
        branch[-1] if branch else None,
        time_of(item.get("created_at")),
        time_of(item.get("updated_at")),
        _fields(item),
    )


def _fields(item: dict[str, Any]) -> dict[str, Any]:
    try:
        params = checked_params(item.get("params") or {})
    except msgspec.ValidationError as error:
        raise Unreadable(f"its `params` do not fit: {error}") from error
    return {
        "model": text(item.get("model"), 255),
        "system_prompt": text(item.get("system_prompt")),
        "params": params,
        "pinned": item.get("pinned") is True,
        "archived": item.get("archived") is True,
    }


def _made(one: dict[str, Any]) -> ImportedMessage:
    role = _ROLES.get(str(one.get("role")))
    if role is None:
        raise Unreadable(f"a message has the role {one.get('role')!r}")
    content, files = _content(one.get("content"))
    data = {
        "role": role,
        "content": content,
        "reasoning_content": text(one.get("reasoning")),
        "tool_calls": one.get("tool_calls") if isinstance(one.get("tool_calls"), list) else None,
        "tool_call_id": text(one.get("tool_call_id"), 200),
        "name": text(one.get("name"), 200),
    }
    return ImportedMessage(one["id"], None, data, time_of(one.get("created_at")), files, _message_fields(one))


def _message_fields(one: dict[str, Any]) -> dict[str, Any]:
    status = one.get("status", Message.Status.COMPLETE)
    return {
        "model": text(one.get("model"), 255),
        "status": status if status in _FINAL else Message.Status.ERROR,
        "finish_reason": text(one.get("finish_reason"), 32),
        "usage": one.get("usage") if isinstance(one.get("usage"), dict) else None,
        "error": one.get("error") if isinstance(one.get("error"), dict) else None,
        "cost": number(one.get("cost")),
        "duration_ms": number(one.get("duration_ms")),
        "first_token_ms": number(one.get("first_token_ms")),
    }


def _content(content: Any) -> tuple[str | list[dict[str, Any]], list[ImportedFile]]:
    """What was said, and the files that were sent along: those have a name."""
    if not isinstance(content, list):
        return text(content), []
    said: list[dict[str, Any]] = []
    files: list[ImportedFile] = []
    for part in content:
        file = _file(part) if isinstance(part, dict) else None
        if file is not None:
            files.append(file)
        elif isinstance(part, dict):
            said.append(part)
    if len(said) <= 1 and all(part.keys() == {"type", "text"} for part in said):
        return "".join(text(part["text"]) for part in said), files
    return said, files


def _file(part: dict[str, Any]) -> ImportedFile | None:
    inner = part.get("file") if part.get("type") == "file" else part.get("image_url")
    if not isinstance(inner, dict):
        return None
    name = inner.get("filename") if part.get("type") == "file" else part.get("name")
    data = data_url_bytes(inner.get("file_data") or inner.get("url"))
    return ImportedFile(name, data) if isinstance(name, str) and data is not None else None
