"""A conversation as text: who said what, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["transcript"]

_SPEAKERS = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool"}


def transcript(messages: Iterable[Mapping[str, Any]], *, with_tools: bool) -> str:
    """The messages, each under its speaker's name; pictures and files by name."""
    said = []
    for message in messages:
        role = str(message.get("role") or "")
        if role == "tool" and not with_tools:
            continue
        if text := _text(message.get("content")):
            said.append(f"{_SPEAKERS.get(role, role)}: {text}")
    return "\n\n".join(said)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content.strip()
    parts = [_part(part) for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    return "\n".join(part for part in parts if part)


def _part(part: Mapping[str, Any]) -> str:
    if part.get("type") == "text":
        return str(part.get("text") or "").strip()
    file = part.get("file")
    name = file.get("filename") if isinstance(file, Mapping) else None
    return f"[file: {name}]" if name else f"[{str(part.get('type') or 'attachment').removesuffix('_url')}]"
