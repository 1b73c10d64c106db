"""ChatGPT's export: `conversations.json`, a list of conversations with a tree of nodes in `mapping`.

Its tools are not the studio's: code that was run and what came out are kept as text, so that a conversation can go on
with any model. What was hidden from the user, such as search results, is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aichat.chat.imports.shapes import (
    ImportedConversation,
    ImportedFile,
    ImportedMessage,
    Unreadable,
    children_of,
    parents_first,
    text,
    time_of,
)

__all__ = ["FindFile", "conversation"]

#: Finds a file of the export by what the conversation calls it.
FindFile = Callable[[str], ImportedFile | None]
_ROLES = {"user": "user", "assistant": "assistant"}


def conversation(item: dict[str, Any], find_file: FindFile) -> ImportedConversation:
    """One of the list.

    Raises:
        Unreadable: it is none.
    """
    mapping = item.get("mapping")
    if not isinstance(mapping, dict):
        raise Unreadable("it has no `mapping`")
    if not all(isinstance(node, dict) for node in mapping.values()):
        raise Unreadable("a node of its `mapping` is missing")
    return _Reader(item, mapping, find_file).read()


class _Reader:
    def __init__(self, item: dict[str, Any], mapping: dict[str, Any], find_file: FindFile) -> None:
        self._item, self._mapping, self._find = item, mapping, find_file
        self._following = children_of(mapping, "parent", "children")
        self._thoughts: dict[str, str] = {}

    def read(self) -> ImportedConversation:
        roots = [key for key, node in self._mapping.items() if node.get("parent") not in self._mapping]
        messages = parents_first(roots, self._children, self._message)
        item = self._item
        return ImportedConversation(
            text(item.get("conversation_id") or item.get("id")),
            text(item.get("title")),
            messages,
            self._leaf({message.key for message in messages}),
            time_of(item.get("create_time")),
            time_of(item.get("update_time")),
            {"archived": item.get("is_archived") is True, "pinned": item.get("is_starred") is True},
        )

    def _children(self, key: str) -> list[str]:
        return self._following.get(key, [])

    def _leaf(self, kept: set[str]) -> str | None:
        """The current node, or the nearest before it that was kept."""
        key, steps = self._item.get("current_node"), len(self._mapping)
        while key in self._mapping and key not in kept and steps:
            key, steps = self._mapping[key].get("parent"), steps - 1
        return key if key in kept else None

    def _message(self, key: str) -> ImportedMessage | None:
        raw = self._mapping[key].get("message")
        if not isinstance(raw, dict):
            return None
        metadata, content = raw.get("metadata") or {}, raw.get("content") or {}
        if metadata.get("is_visually_hidden_from_conversation") or not isinstance(content, dict):
            return None
        if content.get("content_type") == "thoughts":
            self._thoughts[key] = "\n\n".join(text(one.get("content")) for one in content.get("thoughts") or ())
            return None
        return self._made(key, raw, content, metadata)

    def _made(
        self, key: str, raw: dict[str, Any], content: dict[str, Any], metadata: dict[str, Any]
    ) -> ImportedMessage | None:
        author = raw.get("author") or {}
        role = _role(author, content)
        files: list[ImportedFile] = []
        said = _said(content, lambda name: self._file(name, files if role == "user" else None))
        if role is None or not (said.strip() or files):
            return None
        data: dict[str, Any] = {"role": role, "content": said}
        if role == "assistant" and (thoughts := self._thoughts_before(key)):
            data["reasoning_content"] = thoughts
        model = text(metadata.get("model_slug"), 255) if role == "assistant" else ""
        return ImportedMessage(key, None, data, time_of(raw.get("create_time")), files, {"model": model})

    def _file(self, name: str, files: list[ImportedFile] | None) -> str:
        """What stands for a picture in the text: nothing when it is attached."""
        found = self._find(name) if files is not None else None
        if files is None or found is None:
            return "[A picture that is not in the export.]"
        files.append(found)
        return ""

    def _thoughts_before(self, key: str) -> str:
        """What was thought right before this message."""
        parent = self._mapping[key].get("parent")
        while parent in self._mapping and parent not in self._thoughts:
            raw = self._mapping[parent].get("message")
            kind = ((raw or {}).get("content") or {}).get("content_type")
            if kind != "reasoning_recap":
                return ""
            parent = self._mapping[parent].get("parent")
        return self._thoughts.get(parent or "", "")


def _role(author: dict[str, Any], content: dict[str, Any]) -> str | None:
    """The role in the studio; None for what only ChatGPT itself had to know."""
    if content.get("content_type") in ("execution_output", "multimodal_text") and author.get("role") == "tool":
        return "assistant"
    return _ROLES.get(str(author.get("role")))


def _said(content: dict[str, Any], picture: Callable[[str], str]) -> str:
    kind = content.get("content_type")
    if kind == "code":
        language = text(content.get("language"))
        return f"```{'' if language == 'unknown' else language}\n{text(content.get('text'))}\n```"
    if kind == "execution_output":
        return f"```\n{text(content.get('text'))}\n```"
    if kind not in ("text", "multimodal_text"):
        return ""
    return "\n\n".join(filter(None, (_part(part, picture) for part in content.get("parts") or ())))


def _part(part: Any, picture: Callable[[str], str]) -> str:
    if isinstance(part, dict):
        pointer = text(part.get("asset_pointer"))
        return picture(pointer.rpartition("/")[2]) if pointer else text(part.get("text"))
    return text(part)
