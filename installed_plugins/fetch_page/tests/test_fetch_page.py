"""Pages are read, and nothing of the private network is: not by name, redirect, spelling or a second answer."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpcore
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from installed_plugins.fetch_page.guard import AddressRefused, Allowed, GuardedBackend, why_not_public
from plugins_app.sdk import DeadlineExceeded, NotReady, PluginError, UpstreamError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
PROSE = "This sentence is long enough to be taken for the text of an article, which is what it is meant to be. "
ARTICLE = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>On plugins</title>
<meta name="author" content="Ada Lovelace"><meta property="article:published_time" content="2026-01-02">
</head><body><nav><a href="/home">Home</a><a href="/shop">Shop</a></nav><article><h1>On plugins</h1>
<p>{PROSE}See <a href="/more">more</a>. Grüße.</p><h2>Code</h2><pre><code>print("hi")</code></pre><p>{PROSE * 3}</p>
</article><footer>All rights reserved</footer><script>alert(1)</script></body></html>"""
# A PDF of one page that says "Hello PDF".
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 38>>stream
BT /F1 12 Tf 20 100 Td (Hello PDF) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
6 0 obj<</Title(A small one)>>endobj
trailer<</Size 7/Root 1 0 R/Info 6 0 R>>
startxref
0
%%EOF"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Content = Handler | bytes | str


@asynccontextmanager
async def site(
    handler: Handler | bytes | str, media_type: str | None = "text/html", **headers: str
) -> AsyncIterator[str]:
    """A server that answers everything with one body, or as the function says."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if callable(handler):
            return await handler(request)
        body = handler.encode() if isinstance(handler, str) else handler
        return web.Response(body=body, headers={"Content-Type": media_type, **headers} if media_type else headers)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


def reader(**config: Any) -> PluginHarness:
    return PluginHarness(FOLDER, {"allow_private": ["127.0.0.1"]} | config)


async def fetch(url: str, config: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    async with reader(**config or {}) as plugin:
        result: dict[str, Any] = await plugin.call("execute", action="fetch", parameters={"url": url} | parameters)
    return result


async def test_an_article_is_taken_out_of_its_page() -> None:
    async with site(ARTICLE) as url:
        found = await fetch(f"{url}/article#part")
    assert (found["title"], found["date"], found["media_type"]) == ("On plugins", "2026-01-02", "text/html")
    assert found["url"] == f"{url}/article"
    assert "# On plugins" in found["text"] and 'print("hi")' in found["text"] and "Grüße" in found["text"]
    assert "Shop" not in found["text"] and "alert" not in found["text"] and "/more" not in found["text"]


async def test_links_and_plain_text_are_given_when_asked_for() -> None:
    async with site(ARTICLE) as url:
        assert f"[more]({url}/more)" in (await fetch(url, links=True))["text"]
        assert "#" not in (await fetch(url, format="text"))["text"]


async def test_a_long_text_comes_in_parts_and_is_got_once() -> None:
    asked = []

    async def long(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="".join(f"{number:09}\n" for number in range(150)))

    async with site(long) as url, reader(max_characters=600) as plugin:
        parts, start = [], 0
        while start is not None:
            found = await plugin.call("execute", action="fetch", parameters={"url": url, "start": start})
            parts.append(found["text"])
            start = found.get("next_start")
        with pytest.raises(PluginError, match="1500 characters"):
            await plugin.call("execute", action="fetch", parameters={"url": url, "start": 5000})
    assert "".join(parts) == "".join(f"{number:09}\n" for number in range(150))
    assert len(parts) == 3 and len(asked) == 1


async def test_a_pdf_is_read_whatever_the_server_calls_it() -> None:
    for media_type in ("application/pdf", "application/octet-stream"):
        async with site(PDF, media_type) as url:
            found = await fetch(url)
        assert (found["text"], found["title"], found["pages"]) == ("Hello PDF", "A small one", 1)


async def test_a_broken_pdf_and_one_of_pictures_are_told() -> None:
    async with site(b"%PDF-1.7\nnothing of it is true", "application/pdf") as url:
        with pytest.raises(PluginError, match="cannot be read"):
            await fetch(url)
    async with site(PDF.replace(b"(Hello PDF) Tj", b""), "application/pdf") as url:
        with pytest.raises(PluginError, match="without text"):
            await fetch(url)


@pytest.mark.parametrize(
    ("body", "media_type", "text"),
    [
        (b'{"a": 1}', "application/json", '{"a": 1}'),
        ("Grüße".encode("latin-1"), "text/plain; charset=iso-8859-1", "Grüße"),
        ("Ελληνικά".encode(), "text/plain", "Ελληνικά"),
        (b"\xef\xbb\xbfBOM", "text/plain", "BOM"),
        ("Häßliche Größe".encode("cp1252"), "text/plain", "Häßliche Größe"),
        (
            "今日は良い天気ですね。".encode("shift_jis"),
            "text/plain",
            "今日は良い天気ですね。",
        ),
        (b"a: 1", "application/x-yaml+xml", "a: 1"),
        (b"plain", None, "plain"),
        (b"hello", "text/plain; charset=no-such", "hello"),
    ],
)
async def test_texts_come_as_they_are(body: bytes, media_type: str | None, text: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.Response(body=body)
        response.headers["Content-Type"] = media_type or "application/octet-stream"
        return response

    async with site(answer) as url:
        assert (await fetch(url))["text"] == text


async def test_a_page_that_names_no_encoding_is_read_as_browsers_do() -> None:
    page = "<html><title>Ünï</title><body><article><p>Häßlich ist es hier nicht.</p></article></body></html>"
    async with site(page.encode("cp1252"), "text/html") as url:
        found = await fetch(url)
    assert found["title"] == "Ünï" and "Häßlich" in found["text"]


async def test_what_has_no_text_is_refused() -> None:
    for media_type in ("image/png", "video/mp4", "application/zip", "application/octet-stream"):
        async with site(b"\x89PNG\x00\x00\x01", media_type) as url:
            with pytest.raises(PluginError, match="no text to read"):
                await fetch(url)


async def test_what_is_too_large_is_refused_packed_or_not() -> None:
    bomb = gzip.compress(b" " * 5_000_000)
    assert len(bomb) < 10_000
    async with site(bomb, "text/plain", **{"Content-Encoding": "gzip"}) as url:
        with pytest.raises(PluginError, match=r"more than 0\.2 MB"):
            await fetch(url, {"max_megabytes": 0.2})
    async with site(b" " * 300_000, "text/plain") as url:
        with pytest.raises(PluginError, match=r"more than 0\.2 MB"):
            await fetch(url, {"max_megabytes": 0.2})


async def test_packed_texts_are_unpacked() -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    raw = packer.compress(b"hello") + packer.flush()
    for encoding, body in (("gzip", gzip.compress(b"hello")), ("deflate", zlib.compress(b"hello")), ("deflate", raw)):
        async with site(body, "text/plain", **{"Content-Encoding": encoding}) as url:
            assert (await fetch(url))["text"] == "hello"
    async with site(b"nonsense", "text/plain", **{"Content-Encoding": "gzip"}) as url:
        with pytest.raises(UpstreamError, match="unpacked"):
            await fetch(url)


@pytest.mark.parametrize("status", [404, 410, 500])
async def test_a_page_that_is_not_there_is_told(status: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with site(answer) as url:
        with pytest.raises(UpstreamError, match=str(status)):
            await fetch(url)


async def test_a_page_that_wants_to_be_left_alone_says_for_how_long() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "17"})

    async with site(answer) as url:
        with pytest.raises(NotReady) as raised:
            await fetch(url)
    assert raised.value.retry_after == 17


async def test_redirects_are_followed_so_far() -> None:
    async def onward(request: web.Request) -> web.Response:
        left = int(request.path.strip("/") or 0)
        return web.Response(status=302, headers={"Location": f"/{left - 1}"}) if left else web.Response(text="there")

    async with site(onward) as url:
        found = await fetch(f"{url}/3", {"max_redirects": 3})
        assert (found["text"], found["url"]) == ("there", f"{url}/0")
        with pytest.raises(PluginError, match="more than 3 times"):
            await fetch(f"{url}/4", {"max_redirects": 3})


async def test_a_redirect_into_the_private_network_is_refused() -> None:
    for target in ("http://127.0.0.2/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "//10.0.0.1/x"):

        async def onward(request: web.Request, target: str = target) -> web.Response:
            return web.Response(status=302, headers={"Location": target})

        async with site(onward) as url:
            with pytest.raises(PluginError, match="allow_private") as raised:
                await fetch(url)
        assert raised.value.code == "address_refused"


async def test_a_redirect_to_something_else_than_a_page_is_refused() -> None:
    for target in ("file:///etc/passwd", "ftp://example.org/", "http://u:p@example.org/", "http://example.org:25/"):

        async def onward(request: web.Request, target: str = target) -> web.Response:
            return web.Response(status=302, headers={"Location": target})

        async with site(onward) as url:
            with pytest.raises(PluginError) as raised:
                await fetch(url)
        assert raised.value.code == "fetch_refused"
        assert "u:p" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://0/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://192.168.1.1/",
        "http://[fd00::1]/",
        "http://100.64.0.1/",
    ],
)
async def test_private_addresses_are_refused_in_every_spelling(url: str) -> None:
    async with PluginHarness(FOLDER) as plugin:
        with pytest.raises(PluginError, match="allow_private"):
            await plugin.call("execute", action="fetch", parameters={"url": url})


async def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to() -> None:
    answers = [["93.184.216.34"], ["127.0.0.1"]]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    connected: list[str] = []
    backend = GuardedBackend(Allowed(), rebinding)

    class Sockets(httpcore.AnyIOBackend):
        async def connect_tcp(self, host: str, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
            connected.append(host)
            raise httpcore.ConnectError("nobody is there")

    backend._sockets = Sockets()
    with pytest.raises(httpcore.ConnectError):
        await backend.connect_tcp("rebind.example", 80)
    assert (asked, connected) == (["rebind.example"], ["93.184.216.34"])
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
        await backend.connect_tcp("rebind.example", 80)
    assert connected == ["93.184.216.34"]


async def test_one_private_address_of_several_is_enough_to_refuse() -> None:
    async def both(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    with pytest.raises(AddressRefused):
        await GuardedBackend(Allowed(), both).connect_tcp("two.example", 80)


def test_what_is_allowed_is_allowed_by_name_address_or_network() -> None:
    allowed = Allowed.parse(["Wiki.Example.Internal.", "10.1.0.0/16"])
    allowed.check("wiki.example.internal", ["192.168.0.1"])
    allowed.check("other", ["10.1.2.3", "::ffff:10.1.2.3"])
    with pytest.raises(AddressRefused):
        allowed.check("other", ["10.2.0.1"])


@given(st.ip_addresses(v=4))
def test_an_address_is_as_private_as_its_other_spelling(address: Any) -> None:
    plain = why_not_public(address)
    for spelling in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert (why_not_public(ip_address(spelling)) is None) == (plain is None)


async def test_a_page_that_never_ends_is_given_up() -> None:
    done = asyncio.Event()

    async def dribble(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        await response.write(b"<p>")
        await done.wait()
        return response

    async with site(dribble) as url:
        with pytest.raises(DeadlineExceeded, match="not read in 1 s"):
            await fetch(url, {"timeout_s": 1})
        done.set()


async def test_a_page_that_breaks_off_is_told() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html", "Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"<p>")
        assert request.transport is not None
        request.transport.close()
        return response

    async with site(cut) as url:
        with pytest.raises(UpstreamError):
            await fetch(url)
    with pytest.raises(UpstreamError, match="cannot be reached"):
        await fetch(url)


@pytest.mark.parametrize(
    "parameters",
    [
        {"url": ""},
        {"url": 7},
        {"url": "ftp://example.org/"},
        {"url": "file:///etc/passwd"},
        {"url": "http://"},
        {"url": "http://exa mple.org/"},
        {"url": "http://a:b@example.org/"},
        {"url": "https://x" + "y" * 5000},
        {"url": "https://example.org", "format": "html"},
        {"url": "https://example.org", "start": -1},
        {"url": "https://example.org", "links": "yes"},
    ],
)
async def test_what_makes_no_sense_is_refused(parameters: dict[str, Any]) -> None:
    async with PluginHarness(FOLDER) as plugin:
        with pytest.raises(PluginError):
            await plugin.call("execute", action="fetch", parameters=parameters)
