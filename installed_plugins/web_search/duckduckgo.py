"""DuckDuckGo's pages for browsers without JavaScript: it has no API, so what is read here may change.

Both pages are read, whichever comes: `html.duckduckgo.com/html/` and the plainer `lite.duckduckgo.com/lite/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import lxml.etree
import lxml.html

from plugins_app.sdk import NotReady, UpstreamError

from .asking import Answer, Request
from .results import Query, Result, plain

__all__ = ["read", "request"]

_URL = "https://html.duckduckgo.com/html/"
_SAFE = {"off": "-2", "moderate": "-1", "strict": "1"}
#: A page that DuckDuckGo shows to browsers only; it turns away clients that do not say they are one.
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
#: Where DuckDuckGo's name of a region is not the country's own.
_REGIONS = {"GB": "uk", "": "wt"}


def request(query: Query, base_url: str, api_key: str) -> Request:
    """The search as a request."""
    region = _REGIONS.get(query.region, query.region.lower())
    params = {"q": query.text, "kl": f"{region}-{'wt' if region == 'wt' else query.language}"}
    params |= {"kp": _SAFE[query.safe_search], "df": query.freshness[0] if query.freshness else ""}
    if query.page > 1:  # the pages have 10 results at first, and 15 from then on
        offset = 10 + (query.page - 2) * 15
        params |= {"s": str(offset), "dc": str(offset + 1), "v": "l", "o": "json", "api": "d.js"}
    headers = {"User-Agent": _AGENT, "Accept": "text/html", "Accept-Language": f"{query.language},en;q=0.5"}
    return Request("DuckDuckGo", "POST", base_url or _URL, params, headers)


def read(answer: Answer) -> list[Result]:
    """The results of a page."""
    if answer.status == 202 or "anomaly-modal" in answer.text or "anomaly.js" in answer.text:
        raise NotReady("DuckDuckGo takes this for a robot and wants to see a person; try later", retry_after=300)
    try:
        page = lxml.html.fromstring(answer.text)
    except (lxml.etree.LxmlError, ValueError) as error:
        raise UpstreamError("DuckDuckGo answers with something that is no page") from error
    results = [*_of_html(page), *_of_lite(page)]
    if not results and not page.xpath("//*[contains(@class,'no-results') or contains(@class,'no-result')]"):
        raise UpstreamError("DuckDuckGo answers with a page that has no results on it; it may have changed")
    return results


def _of_html(page: Any) -> Iterator[Result]:
    for one in page.xpath("//div[contains(concat(' ',@class,' '),' result ')]"):
        links = one.xpath(".//a[contains(@class,'result__a')]")
        if links and "result--ad" not in one.get("class", ""):
            snippets = one.xpath(".//*[contains(@class,'result__snippet')]")
            yield Result(_text(links[0]), _target(links[0].get("href")), _text(snippets[0]) if snippets else "")


def _of_lite(page: Any) -> Iterator[Result]:
    for link in page.xpath("//a[contains(@class,'result-link')]"):
        rows = link.xpath("ancestor::tr[1]")
        if rows and "result-sponsored" in rows[0].get("class", ""):
            continue
        snippets = link.xpath("ancestor::tr[1]/following-sibling::tr[1]//td[contains(@class,'result-snippet')]")
        yield Result(_text(link), _target(link.get("href")), _text(snippets[0]) if snippets else "")


def _text(element: Any) -> str:
    return plain(element.text_content())


def _target(href: str | None) -> str:
    """Where a link leads: DuckDuckGo sends visitors by a page of its own, which knows the address."""
    url = urljoin("https://duckduckgo.com/", href or "")
    parts = urlsplit(url)
    if (parts.hostname or "").endswith("duckduckgo.com"):
        return parse_qs(parts.query).get("uddg", [""])[0] if parts.path == "/l/" else ""
    return url
