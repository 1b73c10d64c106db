"""The pictures and files of a message."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

__all__ = ["Attachment", "parts_of", "size_words"]

_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?P<parameters>(;[^,;]*)*),", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture or a file of a message: with its bytes, or else with the address where it lies (then `url` is http)."""

    is_image: bool
    name: str
    media_type: str
    data: bytes | None = None
    url: str = ""

    @property
    def text(self) -> str | None:
        """The content of a text file; None when it is none."""
        is_text = self.media_type.startswith("text/") or self.media_type in ("application/json", "application/xml")
        if self.data is None or not is_text or b"\0" in self.data:
            return None
        return self.data.decode("utf-8", "replace")

    @property
    def words(self) -> str:
        """What it is, in a few words: "report.pdf (application/pdf, 12 kB)"."""
        size = size_words(len(self.data)) if self.data is not None else ""
        facts = ", ".join(fact for fact in (self.media_type, size) if fact)
        return f"{self.name} ({facts})" if facts else self.name


def parts_of(content: Any) -> list[str | Attachment]:
    """A message's content, text or OpenAI's parts; empty text is left out."""
    if isinstance(content, str):
        return [content] if content.strip() else []
    if not isinstance(content, list):
        return []
    parts = [_part(part) for part in content if isinstance(part, Mapping)]
    return [part for part in parts if not isinstance(part, str) or part.strip()]


def size_words(size: int) -> str:
    """A number of bytes for people."""
    number, units = float(size), ["bytes", "kB", "MB", "GB"]
    while number >= 1000 and len(units) > 1:
        number, units = number / 1000, units[1:]
    return f"{number:.0f} {units[0]}" if number >= 10 or units[0] == "bytes" else f"{number:.1f} {units[0]}"


def _part(part: Mapping[str, Any]) -> str | Attachment:
    kind = part.get("type")
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, Mapping) else image
        return _attachment(True, part.get("name"), url)
    file = part.get("file")
    if kind == "file" and isinstance(file, Mapping):
        return _attachment(False, file.get("filename"), file.get("file_data"))
    text = part.get("text")
    return text if isinstance(text, str) else f"({kind or 'something'})"


def _attachment(is_image: bool, name: Any, url: Any) -> Attachment:
    """What a data: URL holds; of other addresses only http and https are kept."""
    address = url if isinstance(url, str) else ""
    called = " ".join(str(name or "").split()) or ("image" if is_image else "file")
    found = _DATA_URL.match(address)
    if found is None:
        kept = address if address.startswith(("http://", "https://")) else ""
        return Attachment(is_image, called, "", url=kept)
    media_type = (found["type"] or "text/plain").lower()
    return Attachment(is_image, called, media_type, _decoded(address[found.end() :], found["parameters"]))


def _decoded(body: str, parameters: str) -> bytes | None:
    if not parameters.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return None
