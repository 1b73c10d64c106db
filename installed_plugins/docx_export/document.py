"""A conversation as the blocks of a Word document."""

from __future__ import annotations

from collections.abc import Iterator

from plugins_app.sdk.exports import Attachment, Conversation, Entry, pretty_json

from .markdown import Writer
from .paragraphs import Place, paragraph
from .runs import Look, runs
from .word import Word
from .xml import Xml, is_rtl

__all__ = ["write"]

_LONGEST_FILE = 20_000
_BESIDE = Place().deeper(quoted=True)


def write(conversation: Conversation, word: Word) -> None:
    """Put all of the conversation into the document."""
    word.describe(conversation.title, ", ".join(conversation.models))
    writer = Writer(word)
    word.append(_head(conversation, writer))
    for entry in conversation.entries():
        word.append(_entry(entry, writer, word))


def _head(conversation: Conversation, writer: Writer) -> Iterator[Xml]:
    yield _line(conversation.title, "Title")
    times = [(conversation.created, "Begun "), (conversation.updated, "Last changed ")]
    facts = [word + time for time, word in times if time] + [", ".join(conversation.models)]
    if line := " · ".join(fact for fact in facts if fact):
        yield _line(line, "Faint")
    if conversation.system_prompt:
        yield _label("System prompt")
        yield from writer.markdown(conversation.system_prompt, _BESIDE, breaks=True)


def _entry(entry: Entry, writer: Writer, word: Word) -> Iterator[Xml]:
    yield _line(entry.who, "Heading1", keep_next=True)
    if about := " · ".join(fact for fact in (entry.model, entry.when) if fact):
        yield _line(about, "Faint", keep_next=True)
    yield from _result(entry, writer, word) if entry.role == "tool" else _said(entry, writer, word)
    if last := " · ".join([*entry.notes, *([entry.facts] if entry.facts else [])]):
        yield _line(last, "Faint")


def _said(entry: Entry, writer: Writer, word: Word) -> Iterator[Xml]:
    if entry.reasoning:
        yield _label("Reasoning")
        yield from writer.markdown(entry.reasoning, _BESIDE)
    for part in entry.parts:
        if isinstance(part, str):
            yield from writer.markdown(part, breaks=entry.role != "assistant")
        else:
            yield from _file(part, writer, word)
    for call in entry.calls:
        yield _label(f"Tool call: {call.name}")
        yield writer.code(call.arguments, call.language, _BESIDE)


def _result(entry: Entry, writer: Writer, word: Word) -> Iterator[Xml]:
    yield _label(f"Result of {entry.tool}")
    for part in entry.parts:
        if isinstance(part, str):
            yield writer.code(*pretty_json(part), _BESIDE)
        else:
            yield from _file(part, writer, word)


def _file(attachment: Attachment, writer: Writer, word: Word) -> Iterator[Xml]:
    picture = word.picture(attachment.data, attachment.name) if attachment.is_image and attachment.data else None
    if picture is not None:
        yield paragraph([picture])
    elif attachment.url:
        yield paragraph([word.link(attachment.url, runs(attachment.name, Look(link=True)))])
    else:
        yield _label(attachment.words)
        if text := attachment.text:
            cut = "\n…" if len(text) > _LONGEST_FILE else ""
            yield writer.code(text[:_LONGEST_FILE] + cut, attachment.name.rpartition(".")[2], _BESIDE)


def _line(text: str, style: str, *, keep_next: bool = False) -> Xml:
    return paragraph(runs(text, Look()), style=style, rtl=is_rtl(text), keep_next=keep_next)


def _label(text: str) -> Xml:
    return paragraph(runs(text, Look(bold=True)), style="Faint", keep_next=True)
