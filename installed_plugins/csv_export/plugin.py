"""An export plugin: a conversation as a table, in the form that RFC 4180 describes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from plugins_app.sdk import ExportPlugin
from plugins_app.sdk.exports import (
    Attachment,
    Conversation,
    Entry,
    Options,
    check_timezone,
    read_conversation,
    streamed,
)

_COLUMNS = (
    "number", "id", "parent_id", "time", "role", "model", "content", "reasoning", "tool", "tool_calls", "attachments",
    "prompt_tokens", "completion_tokens", "cost_usd", "duration_ms",
)  # fmt: skip
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
_MEDIA_TYPES = {"tab": "text/tab-separated-values; charset=utf-8"}
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUL = "\0"


class CsvExport(ExportPlugin):
    """Writes a row for each message, and one for the system prompt."""

    async def validate_config(self) -> bool:
        """The zone must be one that this machine knows."""
        check_timezone(self.config)
        return True

    async def export(self, data: Any, output_path: str | None = None) -> AsyncIterator[bytes]:
        """The file, bit by bit; with `output_path` it is written there too, where the sandbox allows it."""
        conversation = read_conversation(data, Options.of(self.config))
        async for chunk in streamed(self._lines(conversation), output_path):
            yield chunk

    def get_file_extension(self) -> str:
        """CSV's own, or that of a table with tabs."""
        return ".tsv" if self.get_config("delimiter") == "tab" else ".csv"

    def get_media_type(self) -> str:
        """With the charset: emoji and right-to-left text must survive every program."""
        return _MEDIA_TYPES.get(self.get_config("delimiter"), "text/csv; charset=utf-8; header=present")

    def _lines(self, conversation: Conversation) -> Iterator[str]:
        line = io.StringIO()
        writer = csv.writer(line, delimiter=_DELIMITERS[self.get_config("delimiter", "comma")], lineterminator="\r\n")
        if self.get_config("bom", True):
            line.write("\ufeff")
        writer.writerows([_COLUMNS, *self._first_row(conversation)])
        for number, entry in enumerate(conversation.entries(), 1):
            writer.writerow([self._field(value) for value in _row(number, entry, self.config)])
            yield line.getvalue()
            line.seek(0)
            line.truncate()
        yield line.getvalue()

    def _first_row(self, conversation: Conversation) -> list[list[str]]:
        if not conversation.system_prompt:
            return []
        values = {"number": "0", "role": "system", "content": conversation.system_prompt}
        return [[self._field(values.get(column, "")) for column in _COLUMNS]]

    def _field(self, value: Any) -> str:
        """One field; text that a spreadsheet would run as a formula is kept from it."""
        if not isinstance(value, str):
            return "" if value is None else str(value)
        text = value.replace(_NUL, "")
        return f"'{text}" if self.get_config("guard_formulas", True) and _FORMULA.match(text) else text


def _row(number: int, entry: Entry, config: Mapping[str, Any]) -> list[Any]:
    """The fields of a message, in the order of the columns."""
    message = entry.source
    files = [part.words if part.data is not None else part.url or part.name for part in _files(entry)]
    return [
        number,
        message.get("id"),
        message.get("parent_id"),
        entry.when,
        entry.role,
        entry.model,
        entry.text,
        entry.reasoning,
        entry.tool,
        "\n".join(f"{call.name} {_compact(call.arguments)}" for call in entry.calls),
        "\n".join(files),
        *(_numbers(message) if config.get("include_usage", True) else [None] * 4),
    ]


def _files(entry: Entry) -> list[Attachment]:
    return [part for part in entry.parts if isinstance(part, Attachment)]


def _compact(arguments: str) -> str:
    """Arguments on one line."""
    return " ".join(line.strip() for line in arguments.splitlines())


def _numbers(message: Mapping[str, Any]) -> list[Any]:
    usage = message.get("usage")
    counts: Mapping[str, Any] = usage if isinstance(usage, Mapping) else {}
    found = [
        counts.get("prompt_tokens"),
        counts.get("completion_tokens"),
        message.get("cost"),
        message.get("duration_ms"),
    ]
    return [value if isinstance(value, int | float) else None for value in found]
