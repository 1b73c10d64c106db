"""Searches against local servers that speak each engine's wire format, faults included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from plugins_app.sdk import AuthFailed, ConfigError, DeadlineExceeded, NotReady, PluginError, UpstreamError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
KEY = "BSA-very-secret-token"

SEARXNG = {
    "query": "plugins",
    "number_of_results": 0,
    "results": [
        {
            "url": "https://example.org/a",
            "title": "A &amp; B",
            "content": "About <b>plugins</b>\n and more",
            "publishedDate": "2026-03-04T00:00:00",
            "engine": "bing",
        },
        {"url": "https://example.org/a/", "title": "The same", "content": ""},
        {"url": "javascript:alert(1)", "title": "No page", "content": ""},
        {"url": "https://example.org/b", "title": "B", "content": None},
    ],
    "answers": [],
    "suggestions": [],
    "unresponsive_engines": [],
}
BRAVE = {
    "type": "search",
    "query": {"original": "plugins"},
    "web": {
        "type": "search",
        "results": [
            {
                "title": "Plugins",
                "url": "https://example.org/plugins",
                "description": "All <strong>about</strong> them",
                "page_age": "2026-01-02T03:04:05",
            }
        ],
    },
}
TARGET = "https://example.org/page?x=1&y=ä"
DUCK_HTML = f"""<html><body><div id="links" class="results">
<div class="result results_links result--ad"><h2><a class="result__a" href="https://ads.example/">Ad</a></h2></div>
<div class="result results_links results_links_deep web-result"><h2 class="result__title">
<a rel="nofollow" class="result__a"
 href="//duckduckgo.com/l/?uddg={quote(TARGET, safe="")}&amp;rut=abc">A <b>page</b></a></h2>
<a class="result__snippet" href="#">What the page <b>says</b>.</a></div>
<div class="result web-result"><a class="result__a" href="//duckduckgo.com/y.js?ad_domain=x">Tracker</a></div>
</div></body></html>"""
DUCK_LITE = """<html><body><table>
<tr class="result-sponsored"><td>1.</td><td><a class="result-link" href="https://ads.example/">Ad</a></td></tr>
<tr class="result-sponsored"><td></td><td class="result-snippet">Buy</td></tr>
<tr><td>1.</td><td><a rel="nofollow" href="https://example.org/lite" class='result-link'>Lite</a></td></tr>
<tr><td></td><td class='result-snippet'>Plain <b>text</b></td></tr>
</table></body></html>"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def engine(handler: Handler) -> AsyncIterator[str]:
    """A server that answers everything with `handler`."""
    app = web.Application()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app.router.add_route("*", "/{tail:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


def searcher(backend: str, url: str, **config: Any) -> PluginHarness:
    given = {"backend": backend, "base_url": url, "api_key": KEY if backend == "brave" else "", "max_retries": 0}
    return PluginHarness(FOLDER, given | config)


async def search(backend: str, url: str, *, config: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    async with searcher(backend, url, **config or {}) as plugin:
        asked = {"query": "plugins"} | parameters
        result: dict[str, Any] = await plugin.call("execute", action="search", parameters=asked)
    return result


class Recorder:
    """Answers with one body, and keeps what was asked."""

    def __init__(self, body: Any, status: int = 200, **headers: str) -> None:
        self.body, self.status, self.headers = body, status, headers
        self.asked: list[dict[str, str]] = []
        self.sent: dict[str, str] = {}

    async def __call__(self, request: web.Request) -> web.Response:
        fields = {**request.query, **(await request.post() if request.method == "POST" else {})}
        self.asked.append({name: str(value) for name, value in fields.items()} | {"path": request.path})
        self.sent = dict(request.headers)
        if isinstance(self.body, str):
            return web.Response(text=self.body, content_type="text/html", status=self.status, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


async def test_searxng_is_asked_and_read() -> None:
    server = Recorder(SEARXNG)
    async with engine(server) as url:
        found = await search("searxng", url, language="de", region="AT", safe_search="strict", freshness="week", page=2)
    assert server.asked == [
        {
            "path": "/search",
            "q": "plugins",
            "format": "json",
            "language": "de-AT",
            "safesearch": "2",
            "pageno": "2",
            "time_range": "week",
        }
    ]
    assert found["results"] == [
        {
            "title": "A & B",
            "url": "https://example.org/a",
            "snippet": "About plugins and more",
            "published": "2026-03-04T00:00:00",
        },
        {"title": "B", "url": "https://example.org/b", "snippet": ""},
    ]


async def test_brave_is_asked_with_its_key_and_read() -> None:
    server = Recorder(BRAVE)
    async with engine(server) as url:
        found = await search("brave", url, count=3, region="DE", freshness="day", language="ja")
    asked = server.asked[0]
    assert asked["path"] == "/res/v1/web/search"
    assert (asked["count"], asked["country"], asked["freshness"], asked["search_lang"]) == ("3", "DE", "pd", "jp")
    assert server.sent["X-Subscription-Token"] == KEY
    assert found["results"][0]["snippet"] == "All about them"


async def test_brave_without_results_has_none() -> None:
    async with engine(Recorder({"type": "search", "query": {}})) as url:
        assert (await search("brave", url))["results"] == []


async def test_duckduckgos_page_is_read_without_its_advertisements() -> None:
    server = Recorder(DUCK_HTML)
    async with engine(server) as url:
        found = await search("duckduckgo", f"{url}/html/", region="GB")
    assert (server.asked[0]["kl"], server.asked[0]["kp"]) == ("uk-en", "-1")
    assert found["results"] == [{"title": "A page", "url": TARGET, "snippet": "What the page says."}]


async def test_duckduckgos_plainer_page_is_read_too() -> None:
    async with engine(Recorder(DUCK_LITE)) as url:
        found = await search("duckduckgo", f"{url}/lite/")
    assert found["results"] == [{"title": "Lite", "url": "https://example.org/lite", "snippet": "Plain text"}]


async def test_duckduckgo_says_when_there_is_nothing_and_when_it_wants_a_person() -> None:
    async with engine(Recorder("<html><div class='no-results'>No results.</div></html>")) as url:
        assert (await search("duckduckgo", url))["results"] == []
    async with engine(Recorder("<html><form class='anomaly-modal__x'></form></html>", 202)) as url:
        with pytest.raises(NotReady, match="robot"):
            await search("duckduckgo", url)
    async with engine(Recorder("<html><p>Something new</p></html>")) as url:
        with pytest.raises(UpstreamError, match="may have changed"):
            await search("duckduckgo", url)


@pytest.mark.parametrize(
    ("backend", "status", "kind", "words"),
    [
        ("brave", 401, AuthFailed, "api_key"),
        ("brave", 422, UpstreamError, "422"),
        ("brave", 429, NotReady, "too many"),
        ("brave", 500, UpstreamError, "500"),
        ("searxng", 403, UpstreamError, "search.formats"),
        ("searxng", 502, UpstreamError, "502"),
    ],
)
async def test_what_an_engine_refuses_is_told(backend: str, status: int, kind: type[Exception], words: str) -> None:
    async with engine(Recorder({"error": {"detail": "no"}}, status)) as url:
        with pytest.raises(kind, match=words) as raised:
            await search(backend, url)
    assert KEY not in str(raised.value)


async def test_garbage_is_no_result() -> None:
    for backend, body in (("searxng", "<html>hello</html>"), ("searxng", ["x"]), ("brave", "{}}"), ("brave", [])):
        async with engine(Recorder(body)) as url:
            with pytest.raises(UpstreamError, match="no list of results"):
                await search(backend, url)


async def test_searxng_whose_engines_are_away_is_not_taken_for_nothing_found() -> None:
    body = {"results": [], "unresponsive_engines": [["google", "CAPTCHA"]]}
    async with engine(Recorder(body)) as url:
        with pytest.raises(UpstreamError, match="google: CAPTCHA"):
            await search("searxng", url)


async def test_what_passes_is_tried_again() -> None:
    answers = [
        web.Response(status=503, headers={"Retry-After": "0"}),
        web.Response(status=429, headers={"Retry-After": "0"}),
    ]

    async def recovering(request: web.Request) -> web.Response:
        return answers.pop(0) if answers else web.json_response(SEARXNG)

    async with engine(recovering) as url:
        assert (await search("searxng", url, config={"max_retries": 2}))["results"]
    assert answers == []


async def test_a_server_that_hangs_or_is_cut_off_is_told() -> None:
    async def hanging(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        if request.query["q"] == "cut":
            request.transport.abort()
            return response
        while not request.transport.is_closing():  # until the client has gone
            await response.write(b" " * 65536)
        return response

    async with engine(hanging) as url:
        with pytest.raises(UpstreamError, match="cannot be reached"):
            await search("searxng", url, query="cut")
        with pytest.raises(UpstreamError, match="more than"):
            await search("searxng", url)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    gone = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        await gone.wait()
        return web.Response()

    async with engine(silent) as url:
        with pytest.raises(DeadlineExceeded, match="did not answer in 1 s"):
            await search("searxng", url, config={"timeout_s": 1})
        gone.set()


async def test_nobody_there_is_told() -> None:
    async with engine(Recorder({})) as url:
        pass
    with pytest.raises(UpstreamError, match="cannot be reached"):
        await search("searxng", url)


async def test_less_than_the_operators_safe_search_is_not_given() -> None:
    server = Recorder(SEARXNG)
    async with engine(server) as url:
        await search("searxng", url, config={"safe_search": "strict"}, safe_search="off")
    assert server.asked[0]["safesearch"] == "2"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"query": "   "}, "'query'"),
        ({"query": "x" * 500}, "400"),
        ({"query": 7}, "'query'"),
        ({"count": 0}, "'count'"),
        ({"count": 21}, "'count'"),
        ({"safe_search": "never"}, "'safe_search'"),
        ({"freshness": "hour"}, "'freshness'"),
    ],
)
async def test_a_search_that_makes_no_sense_is_refused(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        await search("searxng", "http://127.0.0.1:9", **parameters)


async def test_each_engine_says_what_it_needs() -> None:
    for backend, field in (("searxng", "/base_url"), ("brave", "/api_key")):
        with pytest.raises(ConfigError) as raised:
            async with PluginHarness(FOLDER, {"backend": backend}):
                pass
        assert raised.value.errors[0]["pointer"] == field


async def test_an_unknown_action_is_refused() -> None:
    async with searcher("duckduckgo", "") as plugin:
        with pytest.raises(PluginError, match="only search"):
            await plugin.call("execute", action="find", parameters={})
        assert [action["name"] for action in await plugin.call("get_actions")] == ["search"]
