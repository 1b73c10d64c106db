"""An export plugin: a conversation goes in, the bytes of a Markdown file come out."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

from plugins_app.sdk import ExportPlugin
from plugins_app.sdk.exports import (
    Attachment,
    Conversation,
    Entry,
    Options,
    ToolCall,
    check_timezone,
    pretty_json,
    read_conversation,
    streamed,
)

from .markdown import closed, details, fenced, front_matter, inline


class MarkdownExport(ExportPlugin):
    """Writes what people and models said as Markdown, which most of it is already."""

    async def validate_config(self) -> bool:
        """The zone must be one that this machine knows."""
        check_timezone(self.config)
        return True

    async def export(self, data: Any, output_path: str | None = None) -> AsyncIterator[bytes]:
        """The file, bit by bit; with `output_path` it is written there too, where the sandbox allows it."""
        async for chunk in streamed(self._text(data), output_path):
            yield chunk

    def get_file_extension(self) -> str:
        """Markdown's own."""
        return ".md"

    def get_media_type(self) -> str:
        """With the charset: emoji and right-to-left text must survive every browser."""
        return "text/markdown; charset=utf-8"

    def _text(self, data: Any) -> Iterator[str]:
        """The conversation, block by block."""
        between = ""
        for block in self._blocks(read_conversation(data, Options.of(self.config))):
            yield between + block.replace("\r\n", "\n")
            between = "\n\n"
        yield "\n"

    def _blocks(self, conversation: Conversation) -> Iterator[str]:
        if self.get_config("front_matter", False):
            yield _front_matter(conversation)
        yield f"# {inline(conversation.title)}"
        if conversation.created:
            yield f"*{inline(conversation.created)}*"
        if conversation.system_prompt:
            yield details("System prompt", closed(conversation.system_prompt))
        for entry in conversation.entries():
            yield from self._entry(entry)

    def _entry(self, entry: Entry) -> Iterator[str]:
        if entry.role == "tool":
            results = [
                fenced(*pretty_json(part)) if isinstance(part, str) else self._file(part) for part in entry.parts
            ]
            yield details(f"Result of {entry.tool}", "\n\n".join(results))
            return
        yield _heading(entry)
        if entry.reasoning:
            yield details("Reasoning", closed(entry.reasoning))
        for part in entry.parts:
            yield closed(part) if isinstance(part, str) else self._file(part)
        yield from map(_call, entry.calls)
        if lines := [*entry.notes, *([entry.facts] if entry.facts else [])]:
            yield f"*{inline(' · '.join(lines))}*"

    def _file(self, attachment: Attachment) -> str:
        """A picture, or a file: a link to where it is, its text, or at least its name."""
        url = attachment.url or self._embedded(attachment)
        if attachment.is_image:
            return f"![{inline(attachment.name)}](<{url}>)" if url else f"*({inline(attachment.words)})*"
        if (text := attachment.text) is not None:
            return details(attachment.words, fenced(text, _language(attachment.name)))
        return f"[{inline(attachment.words)}](<{url}>)" if url else f"*({inline(attachment.words)})*"

    def _embedded(self, attachment: Attachment) -> str:
        """The content as an address, where it is wanted in the file and has a type to be known by."""
        if attachment.data is None or not attachment.media_type or not self.get_config("embed_files", False):
            return ""
        return f"data:{attachment.media_type};base64,{base64.b64encode(attachment.data).decode()}"


def _front_matter(conversation: Conversation) -> str:
    return front_matter(
        [
            ("title", conversation.title),
            ("created", conversation.created),
            ("updated", conversation.updated),
            ("models", conversation.models),
            ("messages", len(conversation.messages)),
        ]
    )


def _heading(entry: Entry) -> str:
    model = f" ({inline(entry.model)})" if entry.model else ""
    return f"## {inline(entry.who)}{model}" + (f" · {inline(entry.when)}" if entry.when else "")


def _call(call: ToolCall) -> str:
    return details(f"Tool call: {call.name}", fenced(call.arguments, call.language))


def _language(name: str) -> str:
    """What follows the last dot, where it can be the language of a code block."""
    ending = name.rpartition(".")[2]
    return ending if ending.isalnum() and len(ending) <= 10 else ""
