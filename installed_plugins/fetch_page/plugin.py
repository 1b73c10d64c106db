"""A tool that reads pages of the web."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

from plugins_app.sdk import NotReady, PluginError, ToolPlugin

from .fetching import Fetcher, Limits
from .guard import Allowed, GuardedBackend
from .reading import Page, read

_KEPT, _KEPT_FOR_S = 16, 300.0
_LONGEST_URL = 4000
_LARGEST_START = 100_000_000
_FETCH: dict[str, Any] = {
    "name": "fetch",
    "title": "Read a page",
    "description": "Read a page, a PDF or a text on the web: its text without menus and advertisements, and its title. "
    "A long one comes in parts: call again with the `next_start` that was given.",
    "parameters": {
        "type": "object",
        "properties": {
            "url": {"type": "string", "description": "http:// or https://", "maxLength": _LONGEST_URL},
            "format": {"type": "string", "enum": ["markdown", "text"], "description": "markdown unless given"},
            "links": {"type": "boolean", "description": "Keep the addresses that the page links to"},
            "start": {"type": "integer", "minimum": 0, "description": "The character to begin with"},
        },
        "required": ["url"],
        "additionalProperties": False,
    },
    "destructive": False,
}


class FetchPage(ToolPlugin):
    """Reads what is public, and what the operator allows."""

    _fetcher: Fetcher | None = None

    async def initialize(self) -> bool:
        """Get ready; nothing is connected to yet."""
        limits = Limits(
            size=int(self.get_config("max_megabytes", 10) * 1_000_000),
            redirects=self.get_config("max_redirects", 5),
            seconds=self.get_config("timeout_s", 30),
        )
        backend = GuardedBackend(Allowed.parse(self.get_config("allow_private", [])))
        self._fetcher = await asyncio.to_thread(Fetcher, backend, limits, self.get_config("user_agent"))
        self._kept: OrderedDict[tuple[Any, ...], tuple[float, Page]] = OrderedDict()
        return True

    def get_actions(self) -> list[dict[str, Any]]:
        """What can be asked for."""
        return [_FETCH]

    async def execute(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Read a page, or go on with one."""
        if action != "fetch":
            raise PluginError(f"unknown action {action!r}: there is only fetch")
        url, markdown, links, start = _parameters(parameters or {})
        page = await self._page(url, markdown, links)
        return page.facts() | self._part(page.text, start)

    async def _page(self, url: str, markdown: bool, links: bool) -> Page:
        """The page; one that was just read is not got again for its next part."""
        key = (url, markdown, links)
        since, kept = self._kept.get(key, (0.0, None))
        if kept is not None and time.monotonic() - since < _KEPT_FOR_S:
            return kept
        if self._fetcher is None:
            raise NotReady("the plugin is not initialized")
        document = await self._fetcher.get(url)
        page = await asyncio.to_thread(
            read,
            document,
            markdown=markdown,
            links=links,
            pdf_pages=self.get_config("max_pdf_pages", 100),
            seconds=self.get_config("timeout_s", 30) / 2,
        )
        self._kept[key] = (time.monotonic(), page)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return page

    def _part(self, text: str, start: int) -> dict[str, Any]:
        if start and start >= len(text):
            raise PluginError(f"'start' is {start}, and the text has {len(text)} characters")
        end = start + self.get_config("max_characters", 20000)
        part = {"text": text[start:end], "start": start, "characters": len(text)}
        return part | ({"next_start": end} if end < len(text) else {})


def _parameters(parameters: dict[str, Any]) -> tuple[str, bool, bool, int]:
    url, form = parameters.get("url"), parameters.get("format") or "markdown"
    links, start = parameters.get("links") or False, parameters.get("start") or 0
    if not isinstance(url, str) or not url.strip() or len(url) > _LONGEST_URL:
        raise PluginError(f"'url' must be given, in at most {_LONGEST_URL} characters")
    if form not in ("markdown", "text"):
        raise PluginError("'format' must be markdown or text")
    if not isinstance(links, bool):
        raise PluginError("'links' must be true or false")
    if isinstance(start, bool) or not isinstance(start, int) or not 0 <= start <= _LARGEST_START:
        raise PluginError("'start' must be a whole number from 0 on")
    url = url.strip()
    return (url if "://" in url.partition("?")[0] else f"https://{url}"), form == "markdown", links, start
