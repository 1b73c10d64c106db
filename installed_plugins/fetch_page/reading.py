"""The text of a document: an article without what is around it, a PDF page by page, a text as it is."""

from __future__ import annotations

import codecs
import io
import re
import time
from dataclasses import dataclass, replace
from typing import Any

import pypdf
import trafilatura
from charset_normalizer import from_bytes
from lxml import etree

from plugins_app.sdk import PluginError

from .fetching import Document, FetchRefused

__all__ = ["Page", "read"]

_PDF_MARK = b"%PDF-"
_HTML_MARK = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|meta|title)\b", re.I | re.S)
_HTML = ("text/html", "application/xhtml+xml")
_BLANK_LINES = re.compile(r"\n{3,}")
_META_CHARSET = re.compile(rb"<meta[^>]+charset|<\?xml[^>]+encoding|^\xef\xbb\xbf|^\xff\xfe|^\xfe\xff", re.IGNORECASE)
_NOT_ASCII = re.compile(rb"[\x80-\xff]+")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a]")


@dataclass(frozen=True, slots=True)
class Page:
    """What can be read of a document."""

    url: str
    media_type: str
    text: str
    title: str | None = None
    author: str | None = None
    date: str | None = None
    site: str | None = None
    description: str | None = None
    pages: int | None = None

    def facts(self) -> dict[str, Any]:
        """What is known of the page besides its text."""
        names = ("title", "author", "date", "site", "description", "pages")
        known = {name: getattr(self, name) for name in names}
        return {"url": self.url, "media_type": self.media_type} | {k: v for k, v in known.items() if v is not None}


def read(document: Document, *, markdown: bool, links: bool, pdf_pages: int, seconds: float) -> Page:
    """The text. It takes a while, so this is called in a thread.

    Raises:
        FetchRefused: there is no text in it.
        PluginError: it is broken.
    """
    kind = document.media_type
    if kind == "application/pdf" or document.body[:1024].lstrip().startswith(_PDF_MARK):
        return _pdf(document, pdf_pages, time.monotonic() + seconds)
    if kind in _HTML or (kind in ("", "text/plain") and _HTML_MARK.match(document.body[:2048])):
        return _html(document, markdown, links)
    if kind in ("", "application/octet-stream", "binary/octet-stream") and _BINARY.search(document.body[:4096]):
        raise FetchRefused(f"{document.url} has no text to read")
    return Page(document.url, kind or "text/plain", _decoded(document))


def _html(document: Document, markdown: bool, links: bool) -> Page:
    source = _decoded(document) if document.charset or not _META_CHARSET.search(document.body[:4096]) else document.body
    try:
        text = trafilatura.extract(
            source,
            url=document.url,
            output_format="markdown" if markdown else "txt",
            include_links=links,
            include_formatting=markdown,
            include_tables=True,
            include_comments=False,
        )
        facts = trafilatura.extract_metadata(source, default_url=document.url)
        text = text or trafilatura.html2txt(source)
    except (etree.LxmlError, ValueError, RecursionError) as error:
        raise PluginError(f"{document.url} is too broken to be read: {error}") from error
    page = Page(document.url, "text/html", _tidy(text or ""))
    if facts is None:
        return page
    described = (facts.title, facts.author, facts.date, facts.sitename, facts.description)
    title, author, date, site, description = (str(value)[:500] if value else None for value in described)
    return replace(page, title=title, author=author, date=date, site=site, description=description)


def _pdf(document: Document, most_pages: int, deadline: float) -> Page:
    try:
        reader = pypdf.PdfReader(io.BytesIO(document.body))
        if reader.is_encrypted and not reader.decrypt(""):
            raise FetchRefused(f"{document.url} is a PDF with a password")
        pages = len(reader.pages)
        texts = []
        for number in range(min(pages, most_pages)):
            if time.monotonic() > deadline:
                texts.append(f"[stopped after {number} of {pages} pages: it takes too long]")
                break
            texts.append(reader.pages[number].extract_text())
        facts = reader.metadata
        title, author = (facts.title, facts.author) if facts else (None, None)
    except (pypdf.errors.PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        # pypdf raises what Python raises where a file is not what it says it is.
        raise PluginError(f"{document.url} is a PDF that cannot be read: {type(error).__name__}: {error}") from error
    if not any(text.strip() for text in texts):
        raise FetchRefused(f"{document.url} is a PDF of {pages} pages without text; they may be pictures")
    if pages > most_pages:
        texts.append(f"[{pages - most_pages} more pages are not read]")
    return Page(document.url, "application/pdf", _tidy("\n\n".join(texts)), _word(title), _word(author), pages=pages)


def _word(value: Any) -> str | None:
    return str(value)[:500] if value else None


def _decoded(document: Document) -> str:
    """The text, in the encoding that the server names, the file itself, or most likely has."""
    try:
        name = codecs.lookup(document.charset or "utf-8-sig").name
        return document.body.decode(name, "replace" if document.charset else "strict")
    except (LookupError, UnicodeDecodeError):
        return document.body.decode(_guessed(document.body[:200_000]), "replace")


def _guessed(body: bytes) -> str:
    """The most likely encoding. Letters with accents stand alone, and a few of them are easily taken for Chinese."""
    runs = _NOT_ASCII.findall(body)
    if sum(len(run) == 1 for run in runs) * 2 > len(runs):
        return "cp1252"
    best = from_bytes(body).best()
    return best.encoding if best else "utf-8"


def _tidy(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in text.splitlines())).strip()
