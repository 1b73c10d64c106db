"""The administration pages, as an operator sees them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.spec_plugins import spec_tool
from tests.studio import Studio

Drop = Callable[..., Path]
LIST = "/admin/plugins_app/plugin/"
SECRET = "sesame-42-tulip"


def line(page: Page, plugin_id: str) -> Locator:
    """A plugin's line in the list."""
    return page.locator("#result_list tbody tr").filter(has=page.get_by_text(plugin_id, exact=True))


def act(page: Page, plugin_id: str, action: str) -> None:
    """Do something with one plugin, through the list's menu of actions."""
    page.goto(LIST)
    line(page, plugin_id).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option(action)
    page.get_by_role("button", name=re.compile("Run|Go")).click()


def messages(page: Page, kind: str) -> Locator:
    """What the admin says about what was just done."""
    return page.locator(f".messagelist .{kind}")


def open_form(page: Page, plugin_id: str) -> Locator:
    """Open a plugin's page and return its configuration, once it is drawn."""
    page.goto(f"{LIST}{plugin_id}/change/")
    form = page.locator(".rjf-form-wrapper")
    expect(form).to_be_visible()
    return form


def setting(page: Page, name: str) -> Locator:
    """The input of one setting; django-jsonform ties no label to it."""
    return page.locator(f'.rjf-form-wrapper [name="rjf§{name}"]')


@pytest.fixture
def managed(studio: Studio, plugin_folder: Drop) -> Iterator[Path]:
    """A plugin with a secret, which the studio forgets afterwards, its settings too."""
    yield plugin_folder("managed", spec_tool("managed", name="Managed plugin"))
    studio.http.delete("/api/plugins/managed")


def test_an_operator_signs_in_and_sees_the_plugins(page: Page, studio: Studio) -> None:
    name, password = studio.first_login
    page.goto("/admin/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("main").get_by_role("link", name="Plugins", exact=True).last.click()
    expect(line(page, "calculator").locator(".plugin-state-active")).to_have_text("active")
    expect(line(page, "local-llama").locator(".plugin-state")).to_have_text("available")


def test_reloading_is_told_to_have_happened(operator_page: Page, studio: Studio) -> None:
    before = studio.http.get("/api/plugins/calculator").json()["generation"]
    act(operator_page, "calculator", "Reload")
    expect(messages(operator_page, "success")).to_have_text("“calculator” was reloaded.")
    expect(line(operator_page, "calculator")).to_contain_text(f"#{before + 1}")


def test_a_plugin_is_loaded_and_unloaded(operator_page: Page, managed: Path) -> None:
    act(operator_page, "managed", "Load")
    expect(messages(operator_page, "success")).to_have_text("“managed” is loaded.")
    expect(line(operator_page, "managed").locator(".plugin-state")).to_have_text("active")
    act(operator_page, "managed", "Unload")
    expect(messages(operator_page, "success")).to_have_text("“managed” is unloaded.")
    expect(line(operator_page, "managed").locator(".plugin-state")).to_have_text("inactive")


def test_what_is_wrong_with_a_broken_plugin_is_told_in_words(operator_page: Page, plugin_folder: Drop) -> None:
    plugin_folder("torn", "def oops(:\n")
    act(operator_page, "torn", "Load")
    expect(messages(operator_page, "error")).to_contain_text("“torn”: The plugin cannot be imported.")
    expect(line(operator_page, "torn").locator(".plugin-state-error")).to_be_visible()
    expect(line(operator_page, "torn")).to_contain_text("The plugin cannot be imported")
    expect(line(operator_page, "calculator").locator(".plugin-state-active")).to_be_visible()
    operator_page.goto(f"{LIST}torn/change/")
    expect(operator_page.locator(".plugin-error")).to_contain_text("line 1")


def test_a_plugin_that_does_not_start_is_told_in_words(operator_page: Page, plugin_folder: Drop) -> None:
    plugin_folder("moody", spec_tool("moody", initialize='raise ValueError("no ink left")'))
    act(operator_page, "moody", "Load")
    expect(messages(operator_page, "error")).to_contain_text("no ink left")


def test_a_saved_configuration_swaps_the_plugin(operator_page: Page, managed: Path, studio: Studio) -> None:
    assert studio.http.post("/api/plugins/load", {"plugin_id": "managed"}).status == 200
    before = studio.http.get("/api/plugins/managed").json()["generation"]
    form = open_form(operator_page, "managed")
    expect(form).to_contain_text("Key of the service")
    setting(operator_page, "timeout").fill("77")
    operator_page.get_by_role("button", name="Save").click()
    expect(messages(operator_page, "success")).to_have_text("“managed” is configured.")
    expect(setting(operator_page, "timeout")).to_have_value("77")
    after = studio.http.get("/api/plugins/managed").json()
    assert (after["state"], after["config"]["timeout"], after["generation"]) == ("active", 77, before + 1)


def test_a_value_that_is_not_valid_is_told_on_the_form(operator_page: Page, managed: Path, studio: Studio) -> None:
    open_form(operator_page, "managed")
    setting(operator_page, "code").fill("no letters")
    operator_page.get_by_role("button", name="Save").click()
    expect(operator_page.get_by_text("Please correct")).to_have_count(1)
    expect(operator_page.locator(".errornote")).to_be_visible()
    row = operator_page.locator(".rjf-form-row", has=operator_page.locator('[name="rjf§code"]'))
    expect(row.locator(".rjf-error-text")).to_contain_text("'no letters'")
    expect(setting(operator_page, "code")).to_have_value("no letters")
    assert "code" not in studio.http.get("/api/plugins/managed").json()["config"]


def test_a_secret_never_reaches_a_page(operator_page: Page, managed: Path, studio: Studio) -> None:
    open_form(operator_page, "managed")
    setting(operator_page, "api_key").fill(SECRET)
    operator_page.get_by_role("button", name="Save").click()
    expect(messages(operator_page, "success")).to_have_text("“managed” is configured.")
    operator_page.get_by_role("button", name="Load", exact=True).click()
    expect(messages(operator_page, "success")).to_have_text("“managed” is loaded.")

    open_form(operator_page, "managed")
    key = setting(operator_page, "api_key")
    expect(key).to_have_attribute("type", "password")
    expect(key).to_have_value("")
    expect(key).to_have_attribute("placeholder", re.compile("leave empty to keep it"))
    assert SECRET not in operator_page.content()
    for kind in ("plugin", "pluginrelease", "pluginversion", "lifecycleevent", "execution"):
        operator_page.goto(f"/admin/plugins_app/{kind}/")
        expect(operator_page.locator("#changelist")).to_be_visible()
        assert SECRET not in operator_page.content()

    open_form(operator_page, "managed")
    setting(operator_page, "timeout").fill("78")
    operator_page.get_by_role("button", name="Save").click()
    expect(messages(operator_page, "success")).to_have_text("“managed” is configured.")
    body = {"plugin_id": "managed", "method": "execute", "args": ["config", {}]}
    answer = studio.http.post("/api/plugins/execute", body)
    assert answer.json()["result"] == {"api_key": SECRET, "timeout": 78}


def test_executions_can_be_read(operator_page: Page, studio: Studio) -> None:
    asked = ["evaluate", {"expression": "6*7"}]
    body = {"plugin_id": "calculator", "method": "execute", "args": asked, "mode": "async"}
    started = studio.http.post("/api/plugins/execute", body)
    assert started.status == 202, started.text
    operator_page.goto("/admin/plugins_app/execution/")
    operator_page.get_by_role("link", name=started.json()["execution_id"]).click()
    expect(operator_page.locator(".plugin-json").first).to_contain_text("6*7")
    expect(operator_page.locator(".plugin-state")).to_have_text(re.compile("queued|running|succeeded"))


def test_lifecycle_events_can_be_read(operator_page: Page, studio: Studio) -> None:
    assert studio.http.post("/api/plugins/calculator/reload").status == 200
    operator_page.goto("/admin/plugins_app/lifecycleevent/")
    first = operator_page.locator("#result_list tbody tr").filter(has_text="plugin_reloaded").first
    expect(first).to_contain_text("calculator")
    first.get_by_role("link").click()
    expect(operator_page.locator(".plugin-json").first).to_be_visible()
