"""A real browser for the tests in this directory. They are synchronous: Playwright brings its own event loop."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from playwright._impl._api_structures import SetCookieParam
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.studio import Studio

_PATIENCE_MS = 20_000
# The page asks who it is before anybody signed in; browsers write every 4xx into the console.
_ASKED_WHO = r"401 \(Unauthorized\) at \S+/api/auth/me$"
_MEMBER = ("grace", "compilers-are-patient")


@dataclass
class Console:
    """What pages complained about: error lines of the console and exceptions that nobody caught."""

    lines: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=lambda: [_ASKED_WHO])

    def watch(self, context: BrowserContext) -> None:
        """Listen to all pages of `context`."""
        context.on("console", self._hear)
        context.on("weberror", lambda found: self.lines.append(f"uncaught: {found.error}"))

    def expect(self, pattern: str) -> None:
        """Have `pattern` be what the test provokes on purpose."""
        self.expected.append(pattern)

    @property
    def complaints(self) -> list[str]:
        """The lines that no test expected."""
        return [line for line in self.lines if not any(re.search(pattern, line) for pattern in self.expected)]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.lines.append(f"{message.text} at {message.location.get('url', '')}".replace("()", "").strip())


@pytest.fixture(scope="session")
def browser(owned_processes: set[int]) -> Iterator[Browser]:
    """Chromium: the one that `make test` found, else the machine's, else Playwright's own."""
    before = {child.pid for child in psutil.Process().children()}
    with sync_playwright() as playwright:
        path = os.environ.get("STUDIO_CHROMIUM") or shutil.which("chromium")
        sandbox = os.geteuid() != 0  # Chromium refuses to run its sandbox as root
        launched = playwright.chromium.launch(executable_path=path, chromium_sandbox=sandbox)
        owned_processes.update({child.pid for child in psutil.Process().children()} - before)
        yield launched
        launched.close()


@pytest.fixture
def console() -> Iterator[Console]:
    """Fails a test in which a page logged an error that the test did not expect."""
    heard = Console()
    yield heard
    assert not heard.complaints, "the page complained:\n" + "\n".join(heard.complaints)


@pytest.fixture
def page(browser: Browser, studio: Studio, console: Console, drop: Callable[..., Path]) -> Iterator[Page]:
    """A page of a new, empty profile; paths are the studio's. An error in it fails the test.

    It closes before `drop` has the studio forget what the page still shows.
    """
    expect.set_options(timeout=_PATIENCE_MS)
    context = browser.new_context(
        base_url=studio.url, viewport={"width": 1280, "height": 800}, color_scheme="light", reduced_motion="reduce"
    )
    context.set_default_timeout(_PATIENCE_MS)
    console.watch(context)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def operator_cookies(browser: Browser, studio: Studio) -> list[SetCookieParam]:
    """The operator's session; one for all tests, because signing in is limited to some times a minute."""
    return _sign_in(browser, studio, *studio.first_login)


@pytest.fixture
def operator_page(page: Page, operator_cookies: list[SetCookieParam]) -> Page:
    """A page in which the operator is signed in. A test that signs out must sign in by itself."""
    page.context.add_cookies(operator_cookies)
    return page


@pytest.fixture(scope="session")
def member(studio: Studio) -> tuple[str, str]:
    """The name and password of somebody who is no operator."""
    code = "from django.contrib.auth import get_user_model as users; users().objects.create_user({!r}, password={!r})"
    studio.manage("shell", "-c", code.format(*_MEMBER))
    return _MEMBER


@pytest.fixture(scope="session")
def member_cookies(browser: Browser, studio: Studio, member: tuple[str, str]) -> list[SetCookieParam]:
    """The session of somebody who is no operator."""
    return _sign_in(browser, studio, *member)


@pytest.fixture
def member_page(page: Page, member_cookies: list[SetCookieParam]) -> Page:
    """A page in which somebody who is no operator is signed in."""
    page.context.add_cookies(member_cookies)
    return page


@pytest.fixture
def configured(studio: Studio) -> Iterator[Callable[..., None]]:
    """Configures a bundled plugin as the operator, and puts everything back as it was afterwards."""
    before: dict[str, object] = {}

    def configure(plugin_id: str, **config: object) -> None:
        kept = studio.http.get(f"/api/plugins/{plugin_id}").json()["config"]
        before.setdefault(plugin_id, kept)
        answer = studio.http.put(f"/api/plugins/{plugin_id}/config", {"config": {**kept, **config}})
        assert answer.status == 200, answer.text

    yield configure
    for plugin_id, config in before.items():
        answer = studio.http.put(f"/api/plugins/{plugin_id}/config", {"config": config})
        assert answer.status == 200, answer.text


@pytest.fixture
def drop(studio: Studio, plugin_folder: Callable[..., Path]) -> Iterator[Callable[..., Path]]:
    """Callable[..., Path]s plugin folders, and afterwards has the studio forget the plugins, their settings too."""
    dropped: list[str] = []

    def drop_one(plugin_id: str, plugin: str, **more: Any) -> Path:
        dropped.insert(0, plugin_id)
        return plugin_folder(plugin_id.replace("-", "_"), plugin, **more)

    yield drop_one
    for plugin_id in dropped:
        studio.http.post(f"/api/plugins/{plugin_id}/unload", {"cascade": True})
        studio.http.delete(f"/api/plugins/{plugin_id}")


def _sign_in(browser: Browser, studio: Studio, name: str, password: str) -> list[SetCookieParam]:
    """Sign in through the API and return the cookies of that session."""
    context = browser.new_context(base_url=studio.url)
    context.request.get("/api/auth/me")  # sets the CSRF cookie
    token = next(cookie["value"] for cookie in context.cookies() if cookie["name"] == "csrftoken")
    answer = context.request.post(
        "/api/auth/login", data={"username": name, "password": password}, headers={"X-CSRFToken": token}
    )
    assert answer.ok, answer.text()
    cookies = cast(list[SetCookieParam], context.cookies())
    context.close()
    return cookies
