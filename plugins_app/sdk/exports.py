"""What export plugins share: a conversation read into what is to be written.

    conversation = read_conversation(data, Options.of(self.config))
    for entry in conversation.entries():
        ...

`data` is what `ExportPlugin.export` gets. Everything in it is optional and nothing is trusted: a role, a time or a part
of an unknown kind is written as well as can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ._attachments import Attachment, parts_of, size_words
from .errors import ConfigError

__all__ = [
    "Attachment",
    "Conversation",
    "Entry",
    "Options",
    "ToolCall",
    "check_timezone",
    "parts_of",
    "pretty_json",
    "read_conversation",
    "size_words",
    "streamed",
]

_ROLES = {"user": "User", "assistant": "Assistant", "system": "System", "developer": "System", "tool": "Tool"}
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Options:
    """What of a conversation is to be written; the settings of the same names in a plugin's configuration."""

    include_system_prompt: bool = True
    include_reasoning: bool = True
    include_tools: bool = True
    include_attachments: bool = True
    include_usage: bool = True
    include_times: bool = True
    timezone: tzinfo = UTC

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Options:
        """The options in a configuration; what it does not have stays at its default."""
        switches = {name: bool(config[name]) for name in cls.__slots__ if name in config and name != "timezone"}
        return cls(timezone=_zone(config.get("timezone") or "UTC"), **switches)

    def takes(self, role: str) -> bool:
        """Whether what this role says is written."""
        if role in ("system", "developer"):
            return self.include_system_prompt
        return self.include_tools or role != "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a model called; `arguments` is JSON, indented, where it was JSON (then `language` is "json")."""

    id: str
    name: str
    arguments: str
    language: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One message, without what the options leave out; `source` is all of it, as it came."""

    role: str
    who: str
    model: str
    when: str
    parts: list[str | Attachment]
    reasoning: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    tool: str = ""
    facts: str = ""
    version: int = 1
    versions: int = 1
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What else a reader should know: that there are other versions, that it was stopped, that it failed."""
        notes = [f"Version {self.version} of {self.versions}"] if self.versions > 1 else []
        if self.source.get("status") == "cancelled":
            notes.append("Stopped before it was finished")
        if isinstance(error := self.source.get("error"), Mapping):
            notes.append(
                f"Failed: {error.get('detail') or error.get('title') or error.get('code') or 'no reason given'}"
            )
        return notes

    @property
    def text(self) -> str:
        """Everything that was said, without pictures and files."""
        return "\n\n".join(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, its messages read one by one."""

    title: str
    created: str
    updated: str
    models: list[str]
    system_prompt: str
    messages: list[dict[str, Any]]
    options: Options
    versions: Mapping[str, tuple[int, int]]

    def entries(self) -> Iterator[Entry]:
        """What is to be written, in order; a message of which the options leave nothing does not come."""
        for message in self.messages:
            entry = _entry(message, self.options, self.versions)
            if entry.parts or entry.reasoning or entry.calls:
                yield entry


def check_timezone(config: Mapping[str, Any]) -> None:
    """For `validate_config`.

    Raises:
        ConfigError: this machine knows no such time zone.
    """
    name = config.get("timezone") or "UTC"
    try:
        _zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        errors = [{"pointer": "/timezone", "message": f"{name!r} is not a known time zone"}]
        raise ConfigError(f"{name!r} is not a known time zone; write one such as Europe/Berlin", errors) from error


def read_conversation(data: Any, options: Options) -> Conversation:
    """What an export plugin was given, as far as it can be understood."""
    fields = data if isinstance(data, Mapping) else {}
    messages = [message for message in fields.get("messages") or [] if isinstance(message, Mapping)]
    models = [str(message["model"]) for message in messages if message.get("model")]
    prompt = str(fields.get("system_prompt") or "") if options.include_system_prompt else ""
    return Conversation(
        title=" ".join(str(fields.get("title") or "").split()) or "Conversation",
        created=_time(fields.get("created_at"), options),
        updated=_time(fields.get("updated_at"), options),
        models=list(dict.fromkeys(models)),
        system_prompt=prompt,
        messages=[dict(message) for message in messages],
        options=options,
        versions=_versions(fields.get("branches")),
    )


def pretty_json(value: Any) -> tuple[str, str]:
    """A tool's arguments or result as text, and the language of that text: JSON is indented, the rest stays."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value, ""
    if isinstance(value, str):
        return value, ""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str), "json"


async def streamed(pieces: Iterable[str | bytes], output_path: str | None = None) -> AsyncIterator[bytes]:
    """A file in chunks as they travel best; `pieces`, often a generator, is read in a thread.

    With `output_path` the file is written there too, where the sandbox allows it.
    """
    with contextlib.ExitStack() as opened:
        target = opened.enter_context(Path(output_path).open("wb")) if output_path else None
        chunks, end = _chunks(pieces), object()
        while isinstance(chunk := await asyncio.to_thread(next, chunks, end), bytes):
            if target is not None:
                await asyncio.to_thread(target.write, chunk)
            yield chunk


def _chunks(pieces: Iterable[str | bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest += piece.encode("utf-8", "replace") if isinstance(piece, str) else piece
        if len(rest) >= _CHUNK:
            whole = len(rest) - len(rest) % _CHUNK
            view = memoryview(rest)
            yield from (bytes(view[start : start + _CHUNK]) for start in range(0, whole, _CHUNK))
            rest = rest[whole:]
    if rest:
        yield rest


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _time(value: Any, options: Options) -> str:
    """A time in the options' zone, always with the zone's name or offset."""
    if not value or not options.include_times:
        return ""
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return when.astimezone(options.timezone).strftime("%Y-%m-%d %H:%M:%S %Z")
    except (ValueError, OverflowError):
        return " ".join(str(value).split())


def _entry(message: Mapping[str, Any], options: Options, versions: Mapping[str, tuple[int, int]]) -> Entry:
    role = str(message.get("role") or "user")
    parts = parts_of(message.get("content")) if options.takes(role) else []
    if not options.include_attachments:
        parts = [part for part in parts if isinstance(part, str)]
    version, count = versions.get(str(message.get("id")), (1, 1))
    return Entry(
        role=role,
        who=_ROLES.get(role, " ".join(role.capitalize().split())),
        model=" ".join(str(message.get("model") or "").split()),
        when=_time(message.get("created_at"), options),
        parts=parts,
        reasoning=str(message.get("reasoning") or "") if options.include_reasoning else "",
        calls=_calls(message.get("tool_calls")) if options.include_tools else [],
        tool=_tool_name(message.get("name")) if role == "tool" else "",
        facts=_facts(message) if options.include_usage else "",
        version=version,
        versions=count,
        source=message,
    )


def _calls(calls: Any) -> list[ToolCall]:
    if not isinstance(calls, list):
        return []
    return [_call(call) for call in calls if isinstance(call, Mapping)]


def _call(call: Mapping[str, Any]) -> ToolCall:
    named = call.get("function")
    function: Mapping[str, Any] = named if isinstance(named, Mapping) else {}
    arguments, language = pretty_json(function.get("arguments") or "{}")
    return ToolCall(str(call.get("id") or ""), _tool_name(function.get("name")), arguments, language)


def _tool_name(name: Any) -> str:
    """Models know a tool as `<plugin>__<action>`."""
    return " ".join(str(name or "tool").replace("__", ".", 1).split())


def _facts(message: Mapping[str, Any]) -> str:
    """What the message cost, in one line; empty when nobody counted."""
    facts, usage = [], message.get("usage")
    if isinstance(usage, Mapping):
        counted = [(usage.get("prompt_tokens"), "in"), (usage.get("completion_tokens"), "out")]
        facts = [f"{number:,} tokens {way}" for number, way in counted if isinstance(number, int)]
    if isinstance(cost := message.get("cost"), int | float):
        facts.append(f"${cost:.6f}".rstrip("0").rstrip(".") if cost < 1 else f"${cost:,.2f}")
    if isinstance(took := message.get("duration_ms"), int | float):
        facts.append(f"{took / 1000:.1f} s")
    return " · ".join(facts)


def _versions(branches: Any) -> dict[str, tuple[int, int]]:
    """Which of how many versions each message is that has others beside it."""
    beside: dict[str, list[str]] = {}
    for message in branches if isinstance(branches, list) else []:
        if isinstance(message, Mapping) and message.get("id"):
            beside.setdefault(str(message.get("parent_id") or ""), []).append(str(message["id"]))
    families = [ids for ids in beside.values() if len(ids) > 1]
    return {one: (place, len(ids)) for ids in families for place, one in enumerate(ids, 1)}
