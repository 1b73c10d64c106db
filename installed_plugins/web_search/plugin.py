"""A tool that searches the web."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plugins_app.sdk import ConfigError, NotReady, PluginError, ToolPlugin

from . import brave, duckduckgo, searxng
from .asking import Answer, Asker, Request
from .results import FRESHNESS, SAFE_SEARCH, Query, Result, unique

_ENGINES: dict[str, tuple[Callable[[Query, str, str], Request], Callable[[Answer], list[Result]]]] = {
    "searxng": (searxng.request, searxng.read),
    "brave": (brave.request, brave.read),
    "duckduckgo": (duckduckgo.request, duckduckgo.read),
}
_MOST_RESULTS, _LONGEST_QUERY = 20, 400
_SEARCH: dict[str, Any] = {
    "name": "search",
    "title": "Search the web",
    "description": "Search the web. Gives pages with title, address and a short excerpt; read a page itself with "
    "another tool, if there is one.",
    "parameters": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What to look for", "minLength": 1, "maxLength": _LONGEST_QUERY},
            "count": {"type": "integer", "minimum": 1, "maximum": _MOST_RESULTS, "description": "How many results"},
            "language": {"type": "string", "pattern": "^[a-z]{2,3}$", "description": "Of the results: en, de, ja"},
            "region": {"type": "string", "pattern": "^[A-Z]{2}$", "description": "Whose results: US, DE, JP"},
            "safe_search": {"type": "string", "enum": list(SAFE_SEARCH)},
            "freshness": {"type": "string", "enum": list(FRESHNESS), "description": "Not older than this"},
            "page": {
                "type": "integer",
                "minimum": 1,
                "maximum": 10,
                "description": "2: what comes after the first results",
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    "destructive": False,
}


class WebSearch(ToolPlugin):
    """Searches by the engine that the operator has chosen."""

    _asker: Asker | None = None

    def validate_config(self) -> bool:
        """Each engine needs something of its own."""
        engine = self.get_config("backend", "duckduckgo")
        if engine == "searxng" and not self.get_config("base_url"):
            raise _missing("base_url", "the address of your SearXNG server, such as http://localhost:8080")
        if engine == "brave" and not self.get_config("api_key"):
            raise _missing("api_key", "Brave's subscription token")
        return True

    async def initialize(self) -> bool:
        """Make the connection pool; nothing is asked yet."""
        self._asker = Asker(
            timeout_s=self.get_config("timeout_s", 15),
            max_retries=self.get_config("max_retries", 2),
            proxy=self.get_config("proxy") or None,
        )
        return True

    async def shutdown(self) -> None:
        """Close the connections."""
        if self._asker is not None:
            await self._asker.close()

    def get_actions(self) -> list[dict[str, Any]]:
        """What can be asked for."""
        return [_SEARCH]

    async def execute(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Search."""
        if action != "search":
            raise PluginError(f"unknown action {action!r}: there is only search")
        if self._asker is None:
            raise NotReady("the plugin is not initialized")
        query, engine = self._query(parameters or {}), self.get_config("backend", "duckduckgo")
        request, read = _ENGINES[engine]
        answer = await self._asker.ask(request(query, self.get_config("base_url", ""), self.get_config("api_key", "")))
        results = unique(read(answer), query.count)
        return {"query": query.text, "engine": engine, "results": [result.to_dict() for result in results]}

    def _query(self, parameters: dict[str, Any]) -> Query:
        text = " ".join(_text(parameters, "query", "").split())
        if not text or len(text) > _LONGEST_QUERY:
            raise PluginError(f"'query' must be given, in at most {_LONGEST_QUERY} characters")
        return Query(
            text=text,
            count=_whole(parameters, "count", self.get_config("count", 8), _MOST_RESULTS),
            language=_text(parameters, "language", self.get_config("language", "en")).lower(),
            region=_text(parameters, "region", self.get_config("region", "")).upper(),
            safe_search=self._safe_search(_choice(parameters, "safe_search", SAFE_SEARCH)),
            freshness=_choice(parameters, "freshness", FRESHNESS),
            page=_whole(parameters, "page", 1, 10),
        )

    def _safe_search(self, asked: str | None) -> str:
        """What is asked for, if it leaves out at least what the operator wants left out."""
        least = self.get_config("safe_search", "moderate")
        return max((asked or least, least), key=SAFE_SEARCH.index)


def _missing(name: str, what: str) -> ConfigError:
    message = f"{name} is needed: {what}"
    return ConfigError(message, [{"pointer": f"/{name}", "message": message}])


def _text(parameters: dict[str, Any], name: str, default: str) -> str:
    value = parameters.get(name) or default
    if not isinstance(value, str):
        raise PluginError(f"{name!r} must be given as text")
    return value


def _choice(parameters: dict[str, Any], name: str, choices: tuple[str, ...]) -> str | None:
    value = parameters.get(name)
    if value is not None and value not in choices:
        raise PluginError(f"{name!r} must be one of {', '.join(choices)}")
    return value


def _whole(parameters: dict[str, Any], name: str, default: int, largest: int) -> int:
    value = parameters.get(name)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise PluginError(f"{name!r} must be a whole number from 1 to {largest}")
    return value
