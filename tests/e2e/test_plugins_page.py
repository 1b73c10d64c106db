"""The plugins page, as an operator sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Console
from tests.e2e.plugin_pages import Drop, config_in_use, configure, discovered, press, row, state, told
from tests.e2e.spec_plugins import spec_tool
from tests.studio import Studio

_ASKS_FOR_STORAGE = """
[plugin]
id = "asker"
name = "Asker"
version = "1.0.0"
type = "tool"

[permissions]
host = ["storage"]
"""
_REFUSED = r"(409|422|502) .* at \S+/api/plugins/"


@pytest.fixture
def my_plugin(drop: Drop) -> Path:
    """A folder as the specification describes one: `plugin.py`, `__init__.py`, `config.json`."""
    return drop("my-plugin", spec_tool("my-plugin"))


def test_the_list_shows_every_plugin_and_its_state(operator_page: Page, my_plugin: Path) -> None:
    page = discovered(operator_page)
    for plugin_id, name in (("calculator", "Calculator"), ("token-meter", "Token meter"), ("redact", "Redact")):
        expect(row(page, plugin_id).get_by_role("heading")).to_contain_text(name)
        expect(state(page, plugin_id)).to_have_text("active")
    expect(state(page, "local-llama")).to_have_text("available")
    expect(row(page, "my-plugin")).to_contain_text("by Your Name")
    expect(page.get_by_text(re.compile(r"\d+ found · \d+ active"))).to_be_visible()


def test_the_list_is_filtered(operator_page: Page, my_plugin: Path) -> None:
    page = discovered(operator_page)
    page.get_by_label("Search plugins").fill("arithmetic")
    expect(row(page, "calculator")).to_be_visible()
    expect(row(page, "redact")).to_have_count(0)
    page.get_by_label("Search plugins").fill("nothing has this")
    expect(page.get_by_text("No plugin fits")).to_be_visible()
    page.get_by_label("Search plugins").fill("")
    page.get_by_role("button", name="Middleware").click()
    expect(row(page, "redact")).to_be_visible()
    expect(row(page, "calculator")).to_have_count(0)
    page.get_by_role("button", name="all", exact=True).click()
    page.get_by_label("State").select_option("Not loaded")
    expect(row(page, "my-plugin")).to_be_visible()
    expect(row(page, "calculator")).to_have_count(0)


def test_a_plugin_is_loaded_reloaded_and_unloaded(operator_page: Page, my_plugin: Path, studio: Studio) -> None:
    page = discovered(operator_page)
    press(page, "load", "my-plugin")
    expect(state(page, "my-plugin")).to_have_text("active")
    expect(told(page)).to_contain_text("My Custom Plugin is loaded.")
    (my_plugin / "plugin.py").write_text(spec_tool("my-plugin", name="My Better Plugin"))
    press(page, "reload", "my-plugin")
    expect(told(page)).to_contain_text(re.compile(r"was swapped: generation \d+ is serving"))
    expect(row(page, "my-plugin").get_by_role("heading")).to_contain_text("My Better Plugin")
    assert config_in_use(studio, "my-plugin")["timeout"] == 30
    press(page, "unload", "my-plugin")
    expect(told(page)).to_contain_text("is unloaded.")
    expect(row(page, "my-plugin").get_by_role("button", name="Load", exact=True)).to_be_enabled()
    told(page).get_by_role("button", name="Undo").click()
    expect(state(page, "my-plugin")).to_have_text("active")


def test_a_secret_is_masked_and_stays_when_it_is_left(operator_page: Page, my_plugin: Path, studio: Studio) -> None:
    page = discovered(operator_page)
    dialog = configure(page, "my-plugin")
    expect(dialog.get_by_label("Api key")).to_have_attribute("type", "password")
    dialog.get_by_label("Api key").fill("sesame-42")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    press(page, "load", "my-plugin")
    expect(state(page, "my-plugin")).to_have_text("active")

    dialog = configure(page, "my-plugin")
    expect(dialog.get_by_test_id("field-api_key")).to_contain_text("Stored")
    dialog.get_by_label("Timeout").fill("45")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(told(page)).to_contain_text("was swapped to it")
    assert config_in_use(studio, "my-plugin") == {"api_key": "sesame-42", "timeout": 45}

    dialog = configure(page, "my-plugin")
    assert "sesame-42" not in page.content()
    dialog.get_by_role("button", name="Replace").click()
    dialog.get_by_label("Api key").fill("open-43")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert config_in_use(studio, "my-plugin") == {"api_key": "open-43", "timeout": 45}


def test_what_the_server_refuses_is_told_at_the_field(operator_page: Page, my_plugin: Path, console: Console) -> None:
    console.expect(_REFUSED)
    page = discovered(operator_page)
    dialog = configure(page, "my-plugin")
    dialog.get_by_label("Code").fill("no letters")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_test_id("field-code").get_by_role("alert")).to_be_visible()
    expect(dialog.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_test_id("field-timeout").get_by_role("alert")).to_have_count(0)
    dialog.get_by_label("Code").fill("ABC")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(told(page)).to_contain_text("Saved.")


def test_what_the_page_knows_to_be_wrong_is_told_before_it_is_sent(operator_page: Page, my_plugin: Path) -> None:
    page = discovered(operator_page)
    dialog = configure(page, "my-plugin")
    dialog.get_by_label("Timeout").fill("900")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_test_id("field-timeout").get_by_role("alert")).to_have_text("The most is 300.")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)


def test_a_setting_that_is_missing_is_asked_for_when_loading(operator_page: Page, drop: Drop, console: Console) -> None:
    console.expect(_REFUSED)
    drop("my-plugin", spec_tool("my-plugin", key_required=True))
    page = discovered(operator_page)
    press(page, "load", "my-plugin")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_test_id("field-api_key").get_by_role("alert")).to_be_visible()
    dialog.get_by_label("Api key").fill("sesame-42")
    dialog.get_by_role("button", name="Save and load").click()
    expect(dialog).to_have_count(0)
    expect(state(page, "my-plugin")).to_have_text("active")


def test_a_broken_plugin_is_listed_with_its_error_and_mended(operator_page: Page, drop: Drop, console: Console) -> None:
    console.expect(_REFUSED)
    folder = drop("torn", "def oops(:\n")
    page = discovered(operator_page)
    expect(state(page, "torn")).to_have_text("error")
    expect(row(page, "torn").get_by_role("note")).to_contain_text("The plugin cannot be imported")
    expect(row(page, "torn").get_by_role("note")).to_contain_text(re.compile("line 1"))
    press(page, "load", "torn")
    expect(told(page)).to_contain_text("was not loaded.")
    expect(state(page, "calculator")).to_have_text("active")
    (folder / "plugin.py").write_text(spec_tool("torn"))
    press(page, "load", "torn")
    expect(state(page, "torn")).to_have_text("active")
    expect(row(page, "torn").get_by_role("note")).to_have_count(0)


def test_a_version_that_fails_is_told_and_the_old_one_goes_on(
    operator_page: Page, my_plugin: Path, studio: Studio, console: Console
) -> None:
    console.expect(_REFUSED)
    page = discovered(operator_page)
    press(page, "load", "my-plugin")
    expect(state(page, "my-plugin")).to_have_text("active")
    (my_plugin / "plugin.py").write_text(spec_tool("my-plugin", initialize='raise ValueError("no ink left")'))
    press(page, "reload", "my-plugin")
    expect(told(page)).to_contain_text("was not swapped; the one before goes on.")
    expect(told(page)).to_contain_text("no ink left")
    expect(row(page, "my-plugin").get_by_role("note")).to_contain_text("no ink left")
    expect(state(page, "my-plugin")).to_have_text("active")
    assert config_in_use(studio, "my-plugin")["timeout"] == 30


def test_unloading_what_others_need_names_them_and_offers_all(
    operator_page: Page, drop: Drop, console: Console
) -> None:
    console.expect(_REFUSED)
    drop("ground-floor", spec_tool("ground-floor", name="Ground floor"))
    drop("first-floor", spec_tool("first-floor", name="First floor", needs="ground-floor"))
    page = discovered(operator_page)
    press(page, "load", "first-floor")
    expect(state(page, "ground-floor")).to_have_text("active")
    expect(state(page, "first-floor")).to_have_text("active")

    press(page, "unload", "ground-floor")
    dialog = page.get_by_role("dialog", name="Other plugins need Ground floor")
    expect(dialog.get_by_role("list", name="Plugins that need it")).to_have_text("First floor")
    dialog.get_by_role("button", name="Keep them all").click()
    expect(dialog).to_have_count(0)
    expect(state(page, "ground-floor")).to_have_text("active")

    press(page, "unload", "ground-floor")
    dialog.get_by_role("button", name="Unload all of them").click()
    for plugin_id in ("ground-floor", "first-floor"):
        expect(row(page, plugin_id).get_by_role("button", name="Load", exact=True)).to_be_enabled()
    told(page).get_by_role("button", name="Undo").click()
    for plugin_id in ("ground-floor", "first-floor"):
        expect(state(page, plugin_id)).to_have_text("active")


def test_permissions_are_asked_for_before_a_plugin_gets_them(
    operator_page: Page, drop: Drop, studio: Studio, console: Console
) -> None:
    console.expect(r"(403|409|422) .* at \S+/api/plugins/load$")
    drop("asker", spec_tool("asker", name="Asker"), files={"plugin.toml": _ASKS_FOR_STORAGE})
    page = discovered(operator_page)
    press(page, "load", "asker")
    dialog = page.get_by_role("dialog", name="Asker asks for permissions")
    expect(dialog.get_by_role("listitem")).to_contain_text("host:storage")
    dialog.get_by_role("button", name="Not now").click()
    expect(state(page, "asker")).not_to_have_text("active")
    press(page, "load", "asker")
    dialog.get_by_role("button", name="Grant and load").click()
    expect(state(page, "asker")).to_have_text("active")
    assert studio.http.get("/api/plugins/asker").json()["permissions"]["granted"] == ["host:storage"]


def test_what_another_client_does_is_seen_at_once(operator_page: Page, my_plugin: Path, studio: Studio) -> None:
    page = discovered(operator_page)
    expect(row(page, "my-plugin").get_by_role("button", name="Load", exact=True)).to_be_enabled()
    assert studio.http.post("/api/plugins/load", {"plugin_id": "my-plugin"}).status == 200
    expect(state(page, "my-plugin")).to_have_text("active")
    assert studio.http.post("/api/plugins/my-plugin/unload").status == 200
    expect(state(page, "my-plugin")).to_have_text("inactive")


def test_a_provider_that_is_unloaded_leaves_the_model_list(operator_page: Page, studio: Studio) -> None:
    operator_page.goto("/")
    option = operator_page.locator("option", has_text="Echo")
    expect(option).to_be_attached()
    assert studio.http.post("/api/plugins/example-provider/unload").status == 200
    try:
        expect(option).to_have_count(0)
        expect(operator_page.get_by_text("No model is loaded yet")).to_be_visible()
    finally:
        assert studio.http.post("/api/plugins/load", {"plugin_id": "example-provider"}).status == 200
    expect(option).to_be_attached()
