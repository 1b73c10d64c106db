"""An export plugin: a conversation as JSON, so that nothing is lost and the import gets it back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from plugins_app.sdk import ExportPlugin
from plugins_app.sdk.exports import streamed

from .messages import Wanted, all_messages, branch_ids

_FORMAT, _VERSION = "ai-chat-studio", 1
_APART = ("messages", "branches", "current_branch")


class JsonExport(ExportPlugin):
    """Writes the file that `ai-chat-studio-1.schema.json` describes, a message on each line."""

    async def export(self, data: Any, output_path: str | None = None) -> AsyncIterator[bytes]:
        """The file, bit by bit; with `output_path` it is written there too, where the sandbox allows it."""
        conversation = data if isinstance(data, Mapping) else {}
        async for chunk in streamed(self._lines(conversation), output_path):
            yield chunk

    def get_file_extension(self) -> str:
        """JSON's own."""
        return ".json"

    def get_media_type(self) -> str:
        """JSON's own; it is always UTF-8."""
        return "application/json"

    def _lines(self, data: Mapping[str, Any]) -> Iterator[str]:
        yield _text(self._head()).removesuffix("}") + ',"conversations":[\n'
        yield _text(_facts(data)).removesuffix("}")
        yield f',"current_branch":{_text(branch_ids(data))},"messages":['
        before = "\n"
        for message in all_messages(data, Wanted(self.config)):
            yield before + _text(message)
            before = ",\n"
        yield "\n]}\n]}\n"

    def _head(self) -> dict[str, Any]:
        exporter = {"plugin": self.metadata.id, "version": self.metadata.version}
        when = datetime.now(UTC).isoformat(timespec="seconds")
        return {"format": _FORMAT, "version": _VERSION, "exported_at": when, "exporter": exporter}


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """What there is to say about the conversation itself."""
    known: dict[str, Any] = {
        "id": str(data.get("id") or ""),
        "title": str(data.get("title") or ""),
        "created_at": None,
        "updated_at": None,
        "model": None,
        "system_prompt": None,
        "params": {},
    }
    given = {name: value for name, value in data.items() if name not in (*_APART, "id", "title") and value is not None}
    return known | given


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_as_text)


def _as_text(value: Any) -> str:
    """What JSON has no form for: times come over the wire as times."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
