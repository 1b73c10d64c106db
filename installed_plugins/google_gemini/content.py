"""The parts of a message as Gemini's."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections.abc import Mapping
from typing import Any

from google.genai import types

from plugins_app.sdk import PluginError

__all__ = ["parts_of", "text_of"]

_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w-]+=[^;,]*)*;base64,(?P<data>.*)", re.DOTALL)


def text_of(message: Mapping[str, Any]) -> str:
    """What a message says, without anything else that is in it."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or "" for part in content if part.get("type") == "text")


def parts_of(content: Any) -> list[types.Part]:
    """Text, images, sound and files; empty text is left out."""
    if content is None or isinstance(content, str):
        return [types.Part(text=content)] if content else []
    return [part for each in content if (part := _part(each)) is not None]


def _part(part: Mapping[str, Any]) -> types.Part | None:
    kind = part.get("type")
    if kind == "text":
        return types.Part(text=part["text"]) if part.get("text") else None
    if kind == "image_url":
        return _from_url((part.get("image_url") or {}).get("url", ""), "image/jpeg")
    if kind == "file":
        return _from_url((part.get("file") or {}).get("file_data", ""), "application/pdf")
    if kind == "input_audio":
        sound = part.get("input_audio") or {}
        return _inline(sound.get("data", ""), f"audio/{sound.get('format', 'wav')}")
    raise PluginError(f"Gemini takes text, images, sound and files, and not a part of type {kind!r}")


def _from_url(url: str, fallback: str) -> types.Part:
    if found := _DATA_URL.fullmatch(url):
        return _inline(found["data"], found["type"] or fallback)
    if url.startswith(("https://", "http://")):
        guessed, _ = mimetypes.guess_type(url.partition("?")[0])
        return types.Part(file_data=types.FileData(file_uri=url, mime_type=guessed or fallback))
    raise PluginError("an image or file must be a data: URL in base64, or an address on the web")


def _inline(data: str, media_type: str) -> types.Part:
    try:
        return types.Part(inline_data=types.Blob(mime_type=media_type, data=base64.b64decode(data, validate=True)))
    except binascii.Error as error:
        raise PluginError(f"a part of type {media_type} is not valid base64: {error}") from None
