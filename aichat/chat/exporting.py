"""A conversation as a file, made by an export plugin."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aichat.chat.errors import ChatError
from aichat.chat.exportdata import export_data
from aichat.chat.models import Conversation
from plugins_app.sdk import PluginType
from plugins_app.selectors.registry import RegistryReader
from plugins_app.services.calls import plugin_call

__all__ = ["ExportedFile", "conversation_export"]

_PIECE = 1 << 16
_EXTENSION = re.compile(r"\.[A-Za-z0-9][A-Za-z0-9._-]{0,15}")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w-]+)*")
_UNFIT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file to be sent."""

    name: str
    media_type: str
    content: bytes

    def pieces(self) -> Iterator[bytes]:
        """The content, bit by bit."""
        view = memoryview(self.content)
        for start in range(0, len(view), _PIECE):
            yield bytes(view[start : start + _PIECE])


def conversation_export(*, conversation: Conversation, plugin_id: str, user: dict[str, Any] | None) -> ExportedFile:
    """Have the export plugin make its file.

    Raises:
        StudioError: there is no such format, it is not loaded, or its plugin failed.
    """
    _check_format(plugin_id)
    extension = _asked(plugin_id, "get_file_extension", _EXTENSION, user)
    media_type = _asked(plugin_id, "get_media_type", _MEDIA_TYPE, user)
    data = export_data(conversation=conversation)
    content = _bytes_of(plugin_id, plugin_call(plugin_id=plugin_id, method="export", args=[data], user=user).value)
    return ExportedFile(_file_name(conversation) + extension, media_type, content)


def _check_format(plugin_id: str) -> None:
    registry = RegistryReader().read()
    plugin = registry.serving.get(plugin_id)
    if plugin is not None and plugin.type == PluginType.EXPORT:
        return
    if plugin is not None or plugin_id not in registry.states:
        formats = ", ".join(one.id for one in registry.of_type(PluginType.EXPORT)) or "none is loaded"
        raise ChatError("export_not_found", f"There is no export format {plugin_id!r}; formats: {formats}.")
    raise registry.why_not(plugin_id)


def _asked(plugin_id: str, method: str, pattern: re.Pattern[str], user: dict[str, Any] | None) -> str:
    """A short text of the plugin that goes into a header, so it has to look like one."""
    value = plugin_call(plugin_id=plugin_id, method=method, user=user).value
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ChatError("export_invalid", f"{method} of {plugin_id} returned {value!r}.", plugin_id=plugin_id)
    return value


def _bytes_of(plugin_id: str, value: Any) -> bytes:
    """Bytes, text, or bytes as they travel in JSON."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and isinstance(value.get("base64"), str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except binascii.Error:
            pass
    kind = type(value).__name__
    raise ChatError("export_invalid", f"export of {plugin_id} returned {kind} instead of bytes.", plugin_id=plugin_id)


def _file_name(conversation: Conversation) -> str:
    """The title without what file systems refuse."""
    name = _UNFIT_IN_NAMES.sub(" ", conversation.title)
    return " ".join(name.split()).strip(". ")[:100] or "conversation"
