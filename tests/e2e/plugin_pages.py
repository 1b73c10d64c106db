"""What browser tests do on the pages of plugins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.studio import Studio

__all__ = ["Drop", "config_in_use", "configure", "discovered", "menu", "press", "row", "state", "told"]

Drop = Callable[..., Path]


def row(page: Page, plugin_id: str) -> Locator:
    """A plugin in the list."""
    return page.get_by_test_id(f"plugin-row-{plugin_id}")


def state(page: Page, plugin_id: str) -> Locator:
    """The state that the list shows of a plugin."""
    return page.get_by_test_id(f"plugin-state-{plugin_id}")


def told(page: Page) -> Locator:
    """The messages that come and go at the edge of the page."""
    return page.locator(".toasts")


def discovered(page: Page) -> Page:
    """The plugins page, after it looked through the folders."""
    page.goto("/plugins")
    page.get_by_role("button", name="Discover").click()
    expect(told(page)).to_contain_text("Looked through the plugin folders.")
    return page


def press(page: Page, verb: str, plugin_id: str) -> None:
    """Press the button that loads, reloads or unloads a plugin."""
    page.get_by_test_id(f"plugin-{verb}-{plugin_id}").click()


def configure(page: Page, plugin_id: str) -> Locator:
    """Open the configuration of a plugin."""
    page.get_by_test_id(f"plugin-configure-{plugin_id}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def config_in_use(studio: Studio, plugin_id: str) -> Any:
    """The configuration as the plugin itself sees it."""
    body = {"plugin_id": plugin_id, "method": "execute", "args": ["config", {}]}
    answer = studio.http.post("/api/plugins/execute", body)
    assert answer.status == 200, answer.text
    return answer.json()["result"]


def menu(page: Page, name: str, item: str) -> None:
    """Choose from the menu of a plugin or webhook."""
    page.get_by_role("button", name=f"More for {name}").click()
    page.get_by_role("menuitem", name=item).click()
