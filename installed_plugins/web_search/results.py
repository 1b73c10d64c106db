"""What is asked, and what is found, whichever engine looks."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

__all__ = ["FRESHNESS", "SAFE_SEARCH", "Query", "Result", "plain", "unique"]

#: From the least to the most that is left out.
SAFE_SEARCH = ("off", "moderate", "strict")
FRESHNESS = ("day", "week", "month", "year")
_TAG = re.compile(r"<[^<>]*>")
_TITLE_LIMIT, _SNIPPET_LIMIT = 300, 1000


@dataclass(frozen=True, slots=True)
class Query:
    """One search."""

    text: str
    count: int
    language: str
    region: str
    safe_search: str
    freshness: str | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class Result:
    """One page that was found."""

    title: str
    url: str
    snippet: str
    published: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result as models get it."""
        found = {"title": self.title[:_TITLE_LIMIT], "url": self.url, "snippet": self.snippet[:_SNIPPET_LIMIT]}
        return found | ({"published": self.published} if self.published else {})


def plain(text: object) -> str:
    """Text without the tags and entities with which engines mark what was found."""
    return " ".join(html.unescape(_TAG.sub("", text)).split()) if isinstance(text, str) else ""


def unique(results: list[Result], count: int) -> list[Result]:
    """The first `count` that can be opened, each address once."""
    found: dict[str, Result] = {}
    for result in results:
        if result.title and _is_web(result.url):
            found.setdefault(result.url.rstrip("/"), result)
    return list(found.values())[:count]


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
