"""Brave's web search API: https://api-dashboard.search.brave.com/app/documentation/web-search/get-started"""

from __future__ import annotations

import json
from typing import Any

from plugins_app.sdk import UpstreamError

from .asking import Answer, Request
from .results import Query, Result, plain

__all__ = ["read", "request"]

_URL = "https://api.search.brave.com"
_FRESHNESS = {"day": "pd", "week": "pw", "month": "pm", "year": "py"}
#: Where Brave's name of a language is not the usual one.
_LANGUAGES = {"zh": "zh-hans", "ja": "jp", "pt": "pt-pt", "no": "nb"}


def request(query: Query, base_url: str, api_key: str) -> Request:
    """The search as a request."""
    params = {
        "q": query.text,
        "count": str(query.count),
        "offset": str(query.page - 1),
        "search_lang": _LANGUAGES.get(query.language, query.language),
        "safesearch": query.safe_search,
        "text_decorations": "false",
        "result_filter": "web",
    }
    params |= {"country": query.region} if query.region else {}
    params |= {"freshness": _FRESHNESS[query.freshness]} if query.freshness else {}
    headers = {"Accept": "application/json", "X-Subscription-Token": api_key}
    return Request("Brave", "GET", f"{(base_url or _URL).rstrip('/')}/res/v1/web/search", params, headers)


def read(answer: Answer) -> list[Result]:
    """The results of an answer."""
    try:
        found = json.loads(answer.text)
        return [_result(one) for one in (found.get("web") or {}).get("results") or []]
    except (ValueError, AttributeError, TypeError) as error:
        raise UpstreamError("Brave answers with something that is no list of results") from error


def _result(one: dict[str, Any]) -> Result:
    published = one.get("page_age") or one.get("age")
    return Result(
        plain(one.get("title")), str(one.get("url") or ""), plain(one.get("description")), plain(published) or None
    )
