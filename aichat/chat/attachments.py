"""Files that are sent along with messages: what models and export plugins get of them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from aichat.chat.models import Attachment, AttachmentContent, Message

__all__ = ["file_parts", "model_parts", "with_parts"]

#: A plugin's call holds 32 MiB, and bytes are a third larger in Base64. Exports get each file twice.
_MODEL_LIMIT, _FILE_LIMIT = 20 * 2**20, 11 * 2**20

Part = dict[str, Any]


def with_parts(content: str | list[Part], attached: Sequence[Part]) -> str | list[Part]:
    """A message's content, with what is attached after what was said."""
    if not attached:
        return content
    said = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
    return [*said, *attached]


def model_parts(messages: Sequence[Message]) -> dict[UUID, Part]:
    """The attachments of these messages as models take them: pictures, everything else as text under the file's name.

    When the pictures are too large together, the oldest are only named.
    """
    attached = _attached(messages)
    texts = AttachmentContent.objects.filter(attachment__in=[one for one in attached if not _is_image(one)])
    parts = {key: text for key, text in texts.values_list("pk", "text")}
    pictures = _data_urls([one for one in attached if _is_image(one)], _MODEL_LIMIT)
    return {one.pk: _for_model(one, parts.get(one.pk, ""), pictures.get(one.pk)) for one in attached}


def _for_model(one: Attachment, text: str, url: str | None) -> Part:
    if not _is_image(one):
        return {"type": "text", "text": f"{one.name}:\n\n{text or '[There is no text in this file.]'}"}
    return _image(url) if url else _left_out(one)


def file_parts(messages: Sequence[Message]) -> dict[UUID, Part]:
    """The attachments of these messages as whole files; when they are too large together, the oldest are only named."""
    attached = _attached(messages)
    urls = _data_urls(attached, _FILE_LIMIT)
    return {one.pk: _for_file(one, urls.get(one.pk)) for one in attached}


def _for_file(one: Attachment, url: str | None) -> Part:
    if url is None:
        return _left_out(one)
    if _is_image(one):
        return _image(url) | {"name": one.name}
    return {"type": "file", "file": {"filename": one.name, "file_data": url}}


def _image(url: str) -> Part:
    return {"type": "image_url", "image_url": {"url": url}}


def _left_out(one: Attachment) -> Part:
    return {"type": "text", "text": f"[{one.name} is left out: what is attached here is too large together.]"}


def _is_image(one: Attachment) -> bool:
    return one.kind == Attachment.Kind.IMAGE


def _attached(messages: Sequence[Message]) -> list[Attachment]:
    """Each attachment once, those of the last message first."""
    found = {one.pk: one for message in reversed(messages) for one in message.attachments.all()}
    return list(found.values())


def _data_urls(attached: Iterable[Attachment], limit: int) -> dict[UUID, str]:
    """Files as `data:` URLs, the first ones, as far as the limit goes."""
    chosen = {}
    for one in attached:
        if one.size <= limit:
            limit -= one.size
            chosen[one.pk] = one.media_type
    contents = AttachmentContent.objects.in_bulk(list(chosen))
    return {
        key: f"data:{chosen[key]};base64,{base64.b64encode(content.data).decode()}" for key, content in contents.items()
    }
