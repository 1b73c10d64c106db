"""A conversation as one page, piece by piece."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pygments.formatters import HtmlFormatter

from plugins_app.sdk.exports import Attachment, Conversation, Entry, pretty_json

from .markdown import code, markdown
from .markup import element, folded, text

__all__ = ["page_of"]

_IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/svg+xml"}
_SAFE_FILES = {"application/pdf", "text/plain"}
# Nothing runs and nothing is fetched, whatever a browser makes of the rest.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page_of(conversation: Conversation, theme: str, *, is_open: bool) -> Iterator[str]:
    """The file's text."""
    yield _head(conversation.title, theme)
    yield _title(conversation)
    if conversation.system_prompt:
        yield folded("System prompt", markdown(conversation.system_prompt, breaks=True), is_open=is_open)
    for number, entry in enumerate(conversation.entries(), 1):
        yield _article(number, entry, is_open)
    yield "</main></body></html>\n"


def _head(title: str, theme: str) -> str:
    return "\n".join(
        [
            f'<!DOCTYPE html><html class="{theme}"><head>',
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content={"auto": "light dark"}.get(theme, theme)),
            element("meta", name="generator", content="AI Chat Studio"),
            element("meta", name="referrer", content="no-referrer"),
            element("title", text(title)),
            f"<style>{_style()}</style></head><body><main>\n",
        ]
    )


@cache
def _style() -> str:
    """The sheet, with the colours of code for light and dark."""
    sheet = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    auto, dark = _colours("github-dark", ".auto .code"), _colours("github-dark", ".dark .code")
    shades = f"@media screen{{@media (prefers-color-scheme:dark){{{auto}}}{dark}}}"
    return sheet + _colours("friendly", ".code") + shades


def _colours(style: str, selector: str) -> str:
    return str(HtmlFormatter(style=style).get_style_defs(selector))


def _title(conversation: Conversation) -> str:
    times = [(conversation.created, "Begun "), (conversation.updated, "Last changed ")]
    facts = [word + time for time, word in times if time] + [", ".join(conversation.models)]
    line = " · ".join(fact for fact in facts if fact)
    return element("header", element("h1", text(conversation.title), dir="auto") + element("p", text(line))) + "\n"


def _article(number: int, entry: Entry, is_open: bool) -> str:
    about = " · ".join(fact for fact in (entry.model, entry.when) if fact)
    head = element("h2", text(entry.who)) + (element("span", text(about)) if about else "")
    body = _result(entry, is_open) if entry.role == "tool" else _said(entry, is_open)
    last = " · ".join([*entry.notes, *([entry.facts] if entry.facts else [])])
    foot = element("footer", text(last), dir="auto") if last else ""
    kind = entry.role if entry.role in ("user", "assistant", "tool", "system") else "other"
    return element("article", element("header", head) + body + foot, class_=kind, id=f"m{number}") + "\n"


def _said(entry: Entry, is_open: bool) -> str:
    pieces = [folded("Reasoning", markdown(entry.reasoning), is_open=is_open)] if entry.reasoning else []
    breaks = entry.role != "assistant"
    for part in entry.parts:
        pieces.append(markdown(part, breaks=breaks) if isinstance(part, str) else _file(part, is_open))
    for call in entry.calls:
        pieces.append(folded(f"Tool call: {call.name}", code(call.arguments, call.language), is_open=is_open))
    return "".join(pieces)


def _result(entry: Entry, is_open: bool) -> str:
    pieces = [code(*pretty_json(part)) if isinstance(part, str) else _file(part, is_open) for part in entry.parts]
    return folded(f"Result of {entry.tool}", "".join(pieces), is_open=is_open)


def _file(attachment: Attachment, is_open: bool) -> str:
    if attachment.data and attachment.media_type in _IMAGES:
        return element("img", src=_data_url(attachment, attachment.media_type), alt=attachment.name)
    if attachment.url:
        link = element("a", text(attachment.name), href=attachment.url, rel="noopener noreferrer nofollow")
        return element("p", link, dir="auto")
    link = text(attachment.words)
    if attachment.data is not None:
        kind = attachment.media_type if attachment.media_type in _SAFE_FILES else "application/octet-stream"
        link = element("a", link, href=_data_url(attachment, kind), download=attachment.name)
    shown = attachment.text
    below = folded("Text", code(shown, attachment.name.rpartition(".")[2][:20]), is_open=is_open) if shown else ""
    return element("p", link, class_="file", dir="auto") + below


def _data_url(attachment: Attachment, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(attachment.data or b'').decode()}"
