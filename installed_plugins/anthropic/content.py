"""The parts of a message as Anthropic's content blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from plugins_app.sdk import PluginError

__all__ = ["blocks_of", "text_of"]

_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w-]+=[^;,]*)*;base64,(?P<data>.*)", re.DOTALL)


def text_of(message: Mapping[str, Any]) -> str:
    """What a message says, without anything else that is in it."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or "" for part in content if part.get("type") == "text")


def blocks_of(content: Any) -> list[dict[str, Any]]:
    """Text, images and PDF files; empty text is left out, because the API refuses it."""
    if content is None or isinstance(content, str):
        return [{"type": "text", "text": content}] if content and content.strip() else []
    return [block for part in content if (block := _block(part)) is not None]


def _block(part: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = part.get("type")
    if kind == "text":
        text = part.get("text") or ""
        return {"type": "text", "text": text} if text.strip() else None
    if kind == "image_url":
        return {"type": "image", "source": _source((part.get("image_url") or {}).get("url", ""))}
    if kind == "file":
        return {"type": "document", "source": _source((part.get("file") or {}).get("file_data", ""))}
    raise PluginError(f"Claude takes text, images and PDF files, and not a part of type {kind!r}")


def _source(url: str) -> dict[str, Any]:
    if found := _DATA_URL.fullmatch(url):
        return {"type": "base64", "media_type": found["type"] or "image/png", "data": found["data"]}
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    raise PluginError("an image or file must be a data: URL in base64, or an address on the web")
