"""A conversation as a Typst document and the files that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from plugins_app.sdk.exports import Attachment, Conversation, Entry, pretty_json

from .literals import array, call, is_rtl, joined, string
from .markdown import code, markdown

__all__ = ["Look", "document_of"]

_SHOWN_IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/svg+xml": "svg",
}
_LONGEST_FILE = 20_000
_SCRIPTS = (
    "Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil", "Telugu", "Kannada", "Malayalam", "Gujarati", "Gurmukhi",
    "Oriya", "Sinhala", "Thai", "Lao", "Khmer", "Myanmar", "Ethiopic", "Armenian", "Georgian",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """How the pages look, from the configuration."""

    paper: str = "a4"
    font_size: float = 10
    page_numbers: bool = True
    embed_files: bool = True


@dataclass(slots=True)
class _Files:
    """The files that the document names, in a directory of their own."""

    folder: Path
    can_show: Callable[[str], bool]
    embed: bool
    shown: dict[bytes, str | None] = field(default_factory=dict)
    count: int = 0

    def picture(self, data: bytes, extension: str) -> str | None:
        """The name of a picture's file; None when it is broken. The same picture is stored once."""
        if data not in self.shown:
            name = self.stored(data, extension)
            self.shown[data] = name if self.can_show(name) else None
        return self.shown[data]

    def stored(self, data: bytes, extension: str) -> str:
        self.count += 1
        name = f"{self.count}.{extension}"
        (self.folder / name).write_bytes(data)
        return name


def document_of(conversation: Conversation, look: Look, folder: Path, can_show: Callable[[str], bool]) -> Iterator[str]:
    """The document's code, piece by piece; its files are written to `folder`."""
    files = _Files(folder, can_show, look.embed_files)
    yield '#import "template.typ": *\n'
    yield "#show: " + _head(conversation, look) + "\n"
    if conversation.system_prompt:
        yield "#" + call("aside", '"System prompt"', markdown(conversation.system_prompt, breaks=True)) + "\n"
    for entry in conversation.entries():
        yield "#" + _entry(entry, files) + "\n"


def _head(conversation: Conversation, look: Look) -> str:
    times = [(conversation.created, "Begun "), (conversation.updated, "Last changed ")]
    lines = [" · ".join(word + time for time, word in times if time), ", ".join(conversation.models)]
    return call(
        "studio.with",
        title=string(conversation.title),
        facts=array(string(line) for line in lines if line),
        fonts=array(string(name) for name in _fonts(conversation)),
        size=f"{look.font_size:g}pt",
        paper=string(look.paper),
        numbers="true" if look.page_numbers else "false",
        direction="rtl" if is_rtl(conversation.title) else "ltr",
    )


def _fonts(conversation: Conversation) -> list[str]:
    """Which fonts are tried, in order. Han characters look as in the language that the conversation is in."""
    text = conversation.title + "".join(entry.text for entry in conversation.entries())
    if any("\u3041" <= character <= "\u30ff" for character in text):
        chinese = "JP"
    elif any("\uac00" <= character <= "\ud7a3" for character in text):
        chinese = "KR"
    else:
        chinese = "SC"
    return [
        "Noto Sans",
        *(f"Noto Sans {name}" for name in _SCRIPTS),
        f"Noto Sans CJK {chinese}",
        "Noto Emoji",
        "Noto Sans Symbols",
    ]


def _entry(entry: Entry, files: _Files) -> str:
    about = " · ".join(fact for fact in (entry.model, entry.when) if fact)
    body = _result(entry, files) if entry.role == "tool" else _said(entry, files)
    named = {"role": string(entry.role), "facts": string(entry.facts), "note": string(" · ".join(entry.notes))}
    return call("entry", string(entry.who), string(about), body, **named)


def _said(entry: Entry, files: _Files) -> str:
    pieces = []
    if entry.reasoning:
        direction = "rtl" if is_rtl(entry.reasoning) else "ltr"
        pieces.append(call("aside", '"Reasoning"', markdown(entry.reasoning), direction=direction))
    breaks = entry.role != "assistant"
    pieces += [markdown(part, breaks=breaks) if isinstance(part, str) else _file(part, files) for part in entry.parts]
    for tool in entry.calls:
        pieces.append(call("aside", string(f"Tool call: {tool.name}"), code(tool.arguments, tool.language)))
    return joined(pieces)


def _result(entry: Entry, files: _Files) -> str:
    pieces = [code(*pretty_json(part)) if isinstance(part, str) else _file(part, files) for part in entry.parts]
    return call("aside", string(f"Result of {entry.tool}"), joined(pieces))


def _file(attachment: Attachment, files: _Files) -> str:
    extension = _SHOWN_IMAGES.get(attachment.media_type)
    if attachment.data and extension and (name := files.picture(attachment.data, extension)):
        return call("picture", string(name), string(attachment.name))
    if attachment.url:
        return call("link", string(attachment.url), call("text", string(attachment.name)))
    pieces = [_embedded(attachment, files)]
    if text := attachment.text:
        cut = "\n…" if len(text) > _LONGEST_FILE else ""
        pieces.append(code(text[:_LONGEST_FILE] + cut, attachment.name.rpartition(".")[2][:20]))
    return call("aside", string(attachment.words), joined(pieces))


def _embedded(attachment: Attachment, files: _Files) -> str:
    """The file itself, inside the PDF, where readers list attachments."""
    if not attachment.data or not files.embed:
        return ""
    name = files.stored(attachment.data, "bin")
    called = f"{name.removesuffix('.bin')}-{attachment.name}"
    return call(
        "pdf.attach", string(called), call("read", string(name), encoding="none"), description=string(attachment.words)
    )
