"""An export plugin: a conversation goes in, the bytes of a Markdown file come out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plugins_app.sdk import ConfigError, ExportPlugin

from .markdown import closed, details, fenced, front_matter, inline, pretty_json

_ROLES = {"user": "User", "assistant": "Assistant", "system": "System", "developer": "System", "tool": "Tool"}


class MarkdownExport(ExportPlugin):
    """Writes what people and models said as Markdown, which most of it is already."""

    async def validate_config(self) -> bool:
        """The zone must be one that this machine knows."""
        name = self.get_config("timezone", "UTC")
        try:
            _zone(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            errors = [{"pointer": "/timezone", "message": f"{name!r} is not a known time zone"}]
            raise ConfigError(f"{name!r} is not a known time zone; write one such as Europe/Berlin", errors) from error
        return True

    async def initialize(self) -> bool:
        """Look the zone up once."""
        self._timezone = _zone(self.get_config("timezone", "UTC"))
        return True

    async def export(self, data: Any, output_path: str | None = None) -> bytes:
        """The file's content; with `output_path` it is written there too, where the sandbox allows it."""
        content = self.render(data or {}).encode("utf-8", "replace")
        if output_path:
            await asyncio.to_thread(Path(output_path).write_bytes, content)
        return content

    def get_file_extension(self) -> str:
        """Markdown's own."""
        return ".md"

    def get_media_type(self) -> str:
        """With the charset: emoji and right-to-left text must survive every browser."""
        return "text/markdown; charset=utf-8"

    def render(self, data: dict[str, Any]) -> str:
        """The conversation as text."""
        title = data.get("title") or "Conversation"
        messages = data.get("messages") or []
        blocks = [self._front_matter(data, title, messages)] if self.get_config("front_matter", False) else []
        blocks.append(f"# {inline(title)}")
        if when := self._time(data.get("created_at")):
            blocks.append(f"*{when}*")
        for message in messages:
            blocks += self._message(message)
        return "\n\n".join(blocks).replace("\r\n", "\n") + "\n"

    def _front_matter(self, data: dict[str, Any], title: str, messages: list[dict[str, Any]]) -> str:
        models = list(dict.fromkeys(message["model"] for message in messages if message.get("model")))
        return front_matter(
            [
                ("title", title),
                ("created", self._time(data.get("created_at"))),
                ("updated", self._time(data.get("updated_at"))),
                ("models", models),
                ("messages", len(messages)),
            ]
        )

    def _message(self, message: dict[str, Any]) -> Iterable[str]:
        role = message.get("role", "user")
        if role == "tool":
            return [self._result(message)] if self.get_config("include_tools", True) else []
        blocks = []
        if (thought := message.get("reasoning")) and self.get_config("include_reasoning", True):
            blocks.append(details("Reasoning", closed(thought)))
        if text := _text(message.get("content")):
            blocks.append(closed(text))
        if self.get_config("include_tools", True):
            blocks += [_call(call) for call in message.get("tool_calls") or []]
        return [self._heading(role, message), *blocks] if blocks else []

    def _heading(self, role: str, message: dict[str, Any]) -> str:
        who = _ROLES.get(role, inline(role.capitalize()))
        model = f" ({inline(message['model'])})" if message.get("model") else ""
        when = self._time(message.get("created_at"))
        return f"## {who}{model}" + (f" · {when}" if when else "")

    def _result(self, message: dict[str, Any]) -> str:
        name = (message.get("name") or "tool").replace("__", ".", 1)
        return details(f"Result of {name}", fenced(*pretty_json(_text(message.get("content")))))

    def _time(self, value: Any) -> str | None:
        """A time in the configured zone, always with the zone's name or offset."""
        if not value:
            return None
        try:
            when = datetime.fromisoformat(str(value))
        except ValueError:
            return inline(str(value))
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return when.astimezone(self._timezone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _call(call: dict[str, Any]) -> str:
    function = call.get("function") or {}
    name = (function.get("name") or "tool").replace("__", ".", 1)
    return details(f"Tool call: {name}", fenced(*pretty_json(function.get("arguments") or "{}")))


def _text(content: Any) -> str:
    """A string, or OpenAI's content parts; a picture becomes a link, or a word when it has no address."""
    if not isinstance(content, list):
        return str(content or "")
    return "\n\n".join(_part(part) for part in content if isinstance(part, dict))


def _part(part: dict[str, Any]) -> str:
    if part.get("type") == "image_url":
        url = (part.get("image_url") or {}).get("url", "")
        return f"![image](<{url}>)" if url.startswith(("http://", "https://")) else "*(image)*"
    return str(part.get("text") or f"*({part.get('type', 'something')})*")
