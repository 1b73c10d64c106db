"""A real browser for the tests in this directory. They are synchronous: Playwright brings its own event loop."""

import os
import shutil
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.studio import Studio

_PATIENCE_MS = 20_000


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
def page(browser: Browser, studio: Studio) -> Iterator[Page]:
    """A page of a new, empty profile; paths are the studio's. A script error in it fails the test."""
    expect.set_options(timeout=_PATIENCE_MS)
    context = browser.new_context(base_url=studio.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(_PATIENCE_MS)
    errors: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert not errors, f"errors in the page: {errors}"


@pytest.fixture
def operator_page(page: Page, studio: Studio) -> Page:
    """A page in which the operator is signed in, with the first password, through the API."""
    name, password = studio.first_login
    page.request.get("/api/auth/me")  # sets the CSRF cookie
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    answer = page.request.post(
        "/api/auth/login", data={"username": name, "password": password}, headers={"X-CSRFToken": token}
    )
    assert answer.ok, answer.text()
    return page
