"""A conversation as a file, made by an export plugin and sent while it is made."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aichat.chat.errors import ChatError
from aichat.chat.plan import Plugins
from plugins_app.sdk import PluginType
from plugins_app.selectors.registry import Registry, ServingPlugin

__all__ = ["ExportedFile", "conversation_export"]

_TIMEOUT_S = 60.0
_EXTENSION = re.compile(r"\.[A-Za-z0-9][A-Za-z0-9._-]{0,15}")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w-]+)*")
_UNFIT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file to be sent. `pieces` must be read to the end, or closed."""

    name: str
    media_type: str
    pieces: AsyncGenerator[bytes, None]


async def conversation_export(
    data: dict[str, Any], plugin_id: str, *, registry: Registry, calls: Plugins
) -> ExportedFile:
    """Have the export plugin make its file of `data`. What fails before the first byte is raised here.

    Raises:
        StudioError: there is no such format, it is not loaded, or its plugin failed.
    """
    plugin = _plugin(plugin_id, registry)
    timeout = plugin.limit("call_timeout_s", _TIMEOUT_S)
    extension, media_type = await asyncio.gather(
        _asked(plugin_id, "get_file_extension", _EXTENSION, calls, timeout),
        _asked(plugin_id, "get_media_type", _MEDIA_TYPE, calls, timeout),
    )
    pieces = _pieces(plugin_id, data, calls, timeout)
    try:
        first = await anext(pieces, b"")
    except BaseException:  # nobody else knows of the stream yet
        await pieces.aclose()
        raise
    return ExportedFile(_file_name(data["title"]) + extension, media_type, _from(first, pieces))


def _plugin(plugin_id: str, registry: Registry) -> ServingPlugin:
    plugin = registry.serving.get(plugin_id)
    if plugin is not None and plugin.type == PluginType.EXPORT:
        return plugin
    if plugin is not None or plugin_id not in registry.states:
        formats = ", ".join(one.id for one in registry.of_type(PluginType.EXPORT)) or "none is loaded"
        raise ChatError("export_not_found", f"There is no export format {plugin_id!r}; formats: {formats}.")
    raise registry.why_not(plugin_id)


async def _asked(plugin_id: str, method: str, pattern: re.Pattern[str], calls: Plugins, timeout: float) -> str:
    """A short text of the plugin that goes into a header, so it has to look like one."""
    value = await calls.call(plugin_id, method, [], timeout=timeout)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ChatError("export_invalid", f"{method} of {plugin_id} returned {value!r}.", plugin_id=plugin_id)
    return value


async def _pieces(plugin_id: str, data: dict[str, Any], calls: Plugins, timeout: float) -> AsyncGenerator[bytes, None]:
    """The file as it comes; a plugin that returns it whole has one piece."""
    async with calls.stream(plugin_id, "export", [data], {}, timeout=timeout) as stream:
        async for batch in stream.batches():
            yield b"".join(_bytes_of(plugin_id, piece) for piece in batch)


async def _from(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


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


def _file_name(title: str) -> str:
    """The title without what file systems refuse."""
    return " ".join(_UNFIT_IN_NAMES.sub(" ", title).split()).strip(". ")[:100] or "conversation"
