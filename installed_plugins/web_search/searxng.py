"""SearXNG's JSON API: https://docs.searxng.org/dev/search_api.html"""

from __future__ import annotations

import json
from typing import Any

from plugins_app.sdk import UpstreamError

from .asking import Answer, Request
from .results import SAFE_SEARCH, Query, Result, plain

__all__ = ["read", "request"]


def request(query: Query, base_url: str, api_key: str) -> Request:
    """The search as a request. A key goes along for a gateway that asks for one."""
    language = f"{query.language}-{query.region}" if query.region else query.language
    params = {
        "q": query.text,
        "format": "json",
        "language": language,
        "safesearch": str(SAFE_SEARCH.index(query.safe_search)),
        "pageno": str(query.page),
    }
    params |= {"time_range": query.freshness} if query.freshness else {}
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
    return Request("SearXNG", "GET", f"{base_url.rstrip('/')}/search", params, headers)


def read(answer: Answer) -> list[Result]:
    """The results of an answer."""
    try:
        found = json.loads(answer.text)
        results = found["results"]
        if not results and found.get("unresponsive_engines"):
            raise UpstreamError(f"SearXNG's engines do not answer: {_engines(found['unresponsive_engines'])}", 502)
        return [_result(one) for one in results]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UpstreamError("SearXNG answers with something that is no list of results; is base_url right?") from error


def _result(one: dict[str, Any]) -> Result:
    published = one.get("publishedDate")
    url = one.get("url")
    return Result(plain(one.get("title")), str(url or ""), plain(one.get("content")), plain(published) or None)


def _engines(unresponsive: list[Any]) -> str:
    return ", ".join(": ".join(map(str, each)) if isinstance(each, list) else str(each) for each in unresponsive)[:300]
