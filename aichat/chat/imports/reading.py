"""Opening an export: which format it is, and its conversations one after the other."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

import msgspec

from aichat.chat.errors import ChatError
from aichat.chat.imports import chatgpt, openwebui, studio
from aichat.chat.imports.shapes import ImportedConversation, ImportedFile, Unreadable

__all__ = ["IMPORT_LIMIT", "Export", "opened"]

#: How large a file may be, packed and unpacked.
IMPORT_LIMIT = 200 * 2**20
_PICTURE_LIMIT = 20 * 2**20
_ENTRIES = 100_000

Read = Callable[[dict[str, Any]], ImportedConversation]


class Export:
    """An opened export."""

    def __init__(self, name: str, items: Sequence[msgspec.Raw], read: Read) -> None:
        self.format, self.items, self.read = name, items, read

    def __iter__(self) -> Iterator[Callable[[], ImportedConversation]]:
        """Each conversation, to be read in its turn: together they may be large. Reading raises `Unreadable`."""
        for item in self.items:
            yield partial(self._conversation, item)

    def _conversation(self, raw: msgspec.Raw) -> ImportedConversation:
        try:
            item = msgspec.json.decode(raw)
            if not isinstance(item, dict):
                raise Unreadable("it is no object")
            found = self.read(item)
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise Unreadable(f"it is not shaped as expected ({type(error).__name__}: {error})") from error
        if not found.messages:
            raise Unreadable("nothing was said in it")
        return found


@contextmanager
def opened(file: IO[bytes]) -> Iterator[Export]:
    """The export in this file.

    Raises:
        ChatError: it is none that is known.
    """
    is_zip = file.read(4) == b"PK\x03\x04"
    file.seek(0)
    if not is_zip:
        yield _export(_bounded(file), lambda name: None)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            yield _from_zip(archive)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise _unreadable(f"the zip is broken: {error}") from error


def _from_zip(archive: zipfile.ZipFile) -> Export:
    names = archive.namelist()
    found = sorted(name for name in names if _is_conversations(name.rpartition("/")[2]))
    if not found or len(names) > _ENTRIES:
        raise _unreadable("there is no conversations.json in the zip")
    parts, left = [], IMPORT_LIMIT
    for name in found:
        with archive.open(name) as part:
            parts.append(_bounded(part, left))
        left -= len(parts[-1])
    exports = [_export(part, partial(_picture, archive, names)) for part in parts]
    return Export(exports[0].format, [item for one in exports for item in one.items], exports[0].read)


def _is_conversations(name: str) -> bool:
    """Large exports have several, with numbers."""
    return name.startswith("conversations") and name.endswith(".json")


def _picture(archive: zipfile.ZipFile, names: Sequence[str], wanted: str) -> ImportedFile | None:
    """A picture by what a conversation calls it; its file's name goes on after that."""
    for name in names:
        last = name.rpartition("/")[2]
        if wanted and last.startswith(wanted) and archive.getinfo(name).file_size <= _PICTURE_LIMIT:
            with archive.open(name) as part:
                return ImportedFile(last, _bounded(part, _PICTURE_LIMIT))
    return None


def _bounded(file: IO[bytes], limit: int = IMPORT_LIMIT) -> bytes:
    data = file.read(limit + 1)
    if len(data) > limit:
        raise ChatError("body_too_large", f"An export may have {IMPORT_LIMIT // 2**20} MB, unpacked.")
    return data


def _export(data: bytes, find_file: chatgpt.FindFile) -> Export:
    items, name = _items(data)
    head = _head(items[0]) if items else {}
    if "mapping" in head:
        return Export("chatgpt", items, lambda item: chatgpt.conversation(item, find_file))
    if "chat" in head:
        return Export("open-webui", items, openwebui.conversation)
    if name == "ai-chat-studio":
        return Export("ai-chat-studio", items, studio.conversation)
    raise _unreadable("it is none of ChatGPT's, Open WebUI's or the studio's own exports")


def _head(item: msgspec.Raw) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(item, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return dict(found)


def _items(data: bytes) -> tuple[list[msgspec.Raw], str]:
    """The conversations, and the name the format gives itself: the file is a list of them, has one, or is one."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
        if text.startswith(b"["):
            return msgspec.json.decode(text, type=list[msgspec.Raw]), ""
        whole = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        if "conversations" not in whole:
            return [msgspec.Raw(text)], ""
        _check_version(whole)
        name = msgspec.json.decode(whole.get("format", msgspec.Raw(b'""')))
        return msgspec.json.decode(whole["conversations"], type=list[msgspec.Raw]), str(name)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _unreadable(f"it is not the JSON of an export: {error}") from error


def _check_version(whole: dict[str, msgspec.Raw]) -> None:
    version = msgspec.json.decode(whole["version"]) if "version" in whole else 0
    if not isinstance(version, int) or version > studio.VERSION:
        raise _unreadable(f"its format is version {version}, and this studio reads up to {studio.VERSION}; update it")


def _unreadable(why: str) -> ChatError:
    return ChatError("import_unreadable", f"The file cannot be imported: {why}.")
