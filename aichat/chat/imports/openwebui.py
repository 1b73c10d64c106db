"""Open WebUI's export of chats: a list of chats with a tree of messages in `chat.history`."""

from __future__ import annotations

import html
import re
from typing import Any

from aichat.chat.imports.shapes import (
    ImportedConversation,
    ImportedFile,
    ImportedMessage,
    Unreadable,
    children_of,
    data_url_bytes,
    number,
    parents_first,
    text,
    time_of,
)

__all__ = ["conversation"]

_THOUGHTS = re.compile(r"<details\b[^>]*\btype=\"reasoning\"[^>]*>(?P<inside>.*?)</details>\s*", re.DOTALL)
_SUMMARY = re.compile(r"<summary>.*?</summary>", re.DOTALL)
_PARAMS = ("temperature", "top_p", "max_tokens", "seed", "presence_penalty", "frequency_penalty")


def conversation(item: dict[str, Any]) -> ImportedConversation:
    """One of the list.

    Raises:
        Unreadable: it is none.
    """
    chat = item.get("chat")
    history = chat.get("history") if isinstance(chat, dict) else None
    nodes = history.get("messages") if isinstance(history, dict) else None
    if not isinstance(chat, dict) or not isinstance(history, dict) or not isinstance(nodes, dict):
        raise Unreadable("it has no `chat.history.messages`")
    following = children_of(nodes, "parentId", "childrenIds")
    roots = [key for key, node in nodes.items() if node.get("parentId") not in nodes]
    messages = parents_first(roots, lambda key: following.get(key, []), lambda key: _message(key, nodes[key]))
    kept = {message.key for message in messages}
    return ImportedConversation(
        text(item.get("id")),
        text(item.get("title") or chat.get("title")),
        messages,
        history.get("currentId") if history.get("currentId") in kept else None,
        time_of(item.get("created_at") or chat.get("timestamp")),
        time_of(item.get("updated_at")),
        _fields(item, chat),
    )


def _fields(item: dict[str, Any], chat: dict[str, Any]) -> dict[str, Any]:
    given = chat.get("params")
    params = given if isinstance(given, dict) else {}
    return {
        "archived": item.get("archived") is True,
        "pinned": item.get("pinned") is True,
        "system_prompt": text(params.get("system") or chat.get("system")),
        "params": {name: params[name] for name in _PARAMS if number(params.get(name)) is not None},
    }


def _message(key: str, node: dict[str, Any]) -> ImportedMessage | None:
    role = node.get("role")
    if role not in ("user", "assistant", "system"):
        return None
    content, thoughts = _without_thoughts(text(node.get("content")))
    files = _files(node) if role == "user" else []
    if not (content.strip() or files):
        return ImportedMessage(key, None, {"role": role, "content": ""}, time_of(node.get("timestamp")))
    data = {"role": role, "content": content} | ({"reasoning_content": thoughts} if thoughts else {})
    fields = {"model": text(node.get("model"), 255)} if role == "assistant" else {}
    return ImportedMessage(key, None, data, time_of(node.get("timestamp")), files, fields | _usage(node))


def _without_thoughts(content: str) -> tuple[str, str]:
    """What was answered, and what was thought before: it stands folded away in the text, as a quotation."""
    thoughts = []
    for found in _THOUGHTS.finditer(content):
        lines = html.unescape(_SUMMARY.sub("", found["inside"])).strip().splitlines()
        thoughts.append("\n".join(line.removeprefix(">").removeprefix(" ") for line in lines))
    return _THOUGHTS.sub("", content), "\n\n".join(thoughts)


def _files(node: dict[str, Any]) -> list[ImportedFile]:
    """The pictures; other files are only named in the export."""
    found = []
    for index, file in enumerate(node.get("files") or (), 1):
        data = data_url_bytes(file.get("url")) if isinstance(file, dict) else None
        if data is not None:
            found.append(ImportedFile(text(file.get("name")) or f"file-{index}", data))
    return found


def _usage(node: dict[str, Any]) -> dict[str, Any]:
    usage = node.get("usage")
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    if not isinstance(usage, dict) or not all(isinstance(usage.get(name), int) for name in names):
        return {}
    return {"usage": {name: usage[name] for name in names}}
