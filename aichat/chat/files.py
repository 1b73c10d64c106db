"""What a file is, found out from its bytes: nothing that its sender says of it is believed, except its name."""

from __future__ import annotations

import codecs
import json
import mimetypes
import re
import subprocess
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from django.conf import settings
from PIL import Image, UnidentifiedImageError

from aichat.chat import pdftext
from aichat.chat.errors import ChatError
from aichat.chat.models import Attachment

__all__ = ["FileFacts", "clean_name", "file_facts"]

_PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\]+")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")
_PDF_SECONDS = 30


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file."""

    kind: Attachment.Kind
    media_type: str
    text: str = ""
    characters: int | None = None
    pages: int | None = None
    width: int | None = None
    height: int | None = None


def clean_name(name: str) -> str:
    """The last part of a path, without what does not belong in a name."""
    return " ".join(_UNFIT.sub(" ", re.split(r"[/\\]", name)[-1]).split())[:255] or "file"


def file_facts(name: str, data: bytes) -> FileFacts:
    """What this file is.

    Raises:
        ChatError: it is too large, broken, or nothing that a model can be told.
    """
    _check_size(name, data)
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return _pdf(name, data)
    picture = _picture(name, data)
    if picture is not None:
        return picture
    text = _decoded(data)
    if text is None:
        kinds = "pictures (PNG, JPEG, WebP, GIF), text and PDF"
        raise ChatError("attachment_unsupported", f"{name} cannot be attached: only {kinds} can be.")
    return FileFacts(Attachment.Kind.TEXT, _text_type(name), _cut(text), characters=len(text))


def _check_size(name: str, data: bytes) -> None:
    limit = settings.STUDIO_ATTACHMENT_BYTES
    if len(data) > limit:
        raise ChatError("attachment_too_large", f"{name} is too large: a file may have {limit / 10**6:g} MB.")
    if not data:
        raise ChatError("attachment_invalid", f"{name} is empty.")


def _picture(name: str, data: bytes) -> FileFacts | None:
    try:
        with Image.open(BytesIO(data), formats=tuple(_PICTURES)) as image:
            width, height, kind = image.width, image.height, image.format
            if width * height <= settings.STUDIO_ATTACHMENT_PIXELS:
                image.verify()
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ChatError("attachment_invalid", f"{name} is a broken picture.") from error
    if width * height > settings.STUDIO_ATTACHMENT_PIXELS:
        raise _too_many_pixels(name)
    return FileFacts(Attachment.Kind.IMAGE, _PICTURES[kind or ""], width=width, height=height)


def _too_many_pixels(name: str) -> ChatError:
    most = settings.STUDIO_ATTACHMENT_PIXELS // 10**6
    return ChatError("attachment_too_large", f"{name} has too many pixels: a picture may have {most} million.")


def _pdf(name: str, data: bytes) -> FileFacts:
    answer = _ask_reader(name, data)
    if "error" in answer:
        code = "attachment_too_large" if answer.get("too_large") else "attachment_invalid"
        raise ChatError(code, f"{name} cannot be read: {answer['error']}.")
    text = answer["text"].encode(errors="replace").decode()
    return FileFacts(Attachment.Kind.PDF, "application/pdf", _cut(text), characters=len(text), pages=answer["pages"])


def _ask_reader(name: str, data: bytes) -> dict[str, Any]:
    limits = (str(settings.STUDIO_ATTACHMENT_PAGES), str(settings.STUDIO_ATTACHMENT_CHARACTERS))
    command = [sys.executable, "-I", str(Path(pdftext.__file__)), *limits]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, env={"LANG": "C.UTF-8"}, timeout=_PDF_SECONDS, check=True
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise ChatError("attachment_invalid", f"{name} cannot be read: it takes too much time or memory.") from error
    return answer


def _decoded(data: bytes) -> str | None:
    """The text, when it is text: UTF-8, or UTF-16 that says so."""
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


def _text_type(name: str) -> str:
    guessed = (mimetypes.guess_type(name)[0] or "text/plain").lower()
    return guessed if _MEDIA_TYPE.fullmatch(guessed) and not guessed.startswith("image/") else "text/plain"


def _cut(text: str) -> str:
    limit = settings.STUDIO_ATTACHMENT_CHARACTERS
    return text if len(text) <= limit else f"{text[:limit]}\n[cut: {len(text) - limit} more characters]"
