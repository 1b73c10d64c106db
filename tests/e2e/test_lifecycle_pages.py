"""Installing, going back and removing, as an operator does them in the browser."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.e2e.conftest import Console
from tests.e2e.plugin_pages import Drop, config_in_use, discovered, menu, press, row, state, told
from tests.e2e.spec_plugins import spec_tool
from tests.studio import Studio

_HINTS = r"(404|409|422) .* at \S+/api/plugins/"


def package(plugin_id: str, version: str, *, code: str | None = None) -> FilePayload:
    """A plugin's folder as a zip file."""
    source = spec_tool(plugin_id, name="Packed tool").replace('version="1.0.0"', f'version="{version}"')
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{plugin_id}/plugin.py", source if code is None else code)
        archive.writestr(f"{plugin_id}/__init__.py", "")
    return {"name": f"{plugin_id}-{version}.zip", "mimeType": "application/zip", "buffer": content.getvalue()}


def install(page: Page, file: FilePayload) -> Locator:
    """Choose a package in the dialog for it."""
    page.get_by_role("button", name="Install").click()
    dialog = page.get_by_role("dialog", name="Install a plugin")
    dialog.get_by_label("Package").set_input_files(file)
    return dialog


@pytest.fixture
def packed(studio: Studio, drop: Drop) -> str:
    """The id of a plugin that comes as a package; what the test left of it is removed afterwards."""
    drop("packed-tool", spec_tool("packed-tool", name="Packed tool"))
    assert studio.http.post("/api/plugins/discover").status == 200
    assert studio.http.delete("/api/plugins/packed-tool").status == 204
    return "packed-tool"


@pytest.fixture
def my_plugin(drop: Drop) -> Path:
    """A folder as the specification describes one."""
    return drop("my-plugin", spec_tool("my-plugin"))


def test_a_package_is_installed_loaded_swapped_and_rolled_back(operator_page: Page, packed: str) -> None:
    page = discovered(operator_page)
    dialog = install(page, package(packed, "1.0.0"))
    expect(dialog).to_contain_text("Packed tool 1.0.0 is installed.")
    dialog.get_by_role("button", name="Load now").click()
    expect(dialog).to_have_count(0)
    expect(state(page, packed)).to_have_text("active")

    dialog = install(page, package(packed, "1.1.0"))
    dialog.get_by_role("button", name="Swap to it now").click()
    expect(dialog).to_have_count(0)
    expect(row(page, packed).get_by_role("heading")).to_contain_text("v1.1.0")

    menu(page, "Packed tool", "Versions and roll back")
    versions = page.get_by_role("region", name="Versions")
    expect(versions.get_by_role("listitem").first).to_contain_text("1.1.0serving")
    versions.get_by_role("button", name=re.compile("Roll back: 1.0.0")).click()
    dialog = page.get_by_role("dialog", name="Roll back: Packed tool 1.0.0")
    expect(dialog.get_by_role("listitem")).to_have_text("Swap Packed tool from 1.1.0 to 1.0.0")
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_contain_text("v1.0.0")
    releases = page.get_by_role("region", name="Releases")
    expect(releases.get_by_role("listitem").first).to_contain_text(re.compile("1.0.0serving.*rolled back"))

    told(page).get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("v1.1.0")


def test_a_package_is_dropped_onto_the_page(operator_page: Page, packed: str) -> None:
    page = discovered(operator_page)
    content = list(package(packed, "1.0.0")["buffer"])
    page.evaluate(
        """(content) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([new Uint8Array(content)], "packed.zip"));
          for (const kind of ["dragover", "drop"])
            window.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        content,
    )
    expect(page.get_by_role("dialog")).to_contain_text("Packed tool 1.0.0 is installed.")
    page.get_by_role("button", name="Later").click()
    expect(row(page, packed)).to_be_visible()


def test_what_is_wrong_with_a_package_is_told_where_it_was_chosen(
    operator_page: Page, packed: str, console: Console
) -> None:
    console.expect(_HINTS)
    page = discovered(operator_page)
    broken: FilePayload = {"name": "broken.zip", "mimeType": "application/zip", "buffer": b"this is no archive"}
    dialog = install(page, broken)
    expect(dialog.get_by_role("alert")).to_contain_text("The package cannot be used")
    dialog.get_by_label("Package").set_input_files(package(packed, "1.0.0"))
    expect(dialog).to_contain_text("is installed.")


def test_configurations_are_compared_and_restored(operator_page: Page, my_plugin: Path, studio: Studio) -> None:
    assert studio.http.post("/api/plugins/load", {"plugin_id": "my-plugin", "config": {"timeout": 31}}).status == 200
    config = {"timeout": 45, "code": "ABC", "api_key": "sesame-42"}
    assert studio.http.put("/api/plugins/my-plugin/config", {"config": config}).status == 200
    page = operator_page
    page.goto("/plugins/my-plugin/configuration")
    history = page.get_by_role("region", name="History")
    expect(history.get_by_role("listitem")).to_have_count(2)
    expect(history.get_by_role("listitem").first).to_contain_text("current")

    history.get_by_role("button", name="Compare configuration 1").click()
    dialog = page.get_by_role("dialog", name="Compare configurations")
    shown = dialog.get_by_role("row").all_inner_texts()
    assert {re.sub(r"\s+", " ", text).strip() for text in shown} >= {"~timeout 31 45", "+code ABC"}
    expect(dialog).to_contain_text("a secret")
    assert "sesame-42" not in page.content()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    history.get_by_role("button", name="Restore configuration 1").click()
    expect(told(page)).to_contain_text("Configuration 1 is back. My Custom Plugin was swapped to it.")
    expect(page.get_by_label("Timeout")).to_have_value("31")
    assert config_in_use(studio, "my-plugin") == {"timeout": 31}
    told(page).get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Timeout")).to_have_value("45")
    expect(history.get_by_role("listitem")).to_have_count(4)
    assert config_in_use(studio, "my-plugin") == config


def test_what_is_removed_comes_back_as_it_was(operator_page: Page, my_plugin: Path, studio: Studio) -> None:
    assert studio.http.post("/api/plugins/load", {"plugin_id": "my-plugin", "config": {"timeout": 31}}).status == 200
    page = discovered(operator_page)
    menu(page, "My Custom Plugin", "Unload and remove…")
    page.get_by_role("dialog").get_by_role("button", name="Unload and remove").click()
    expect(row(page, "my-plugin")).to_have_count(0)
    told(page).get_by_role("button", name="Undo").click()
    expect(state(page, "my-plugin")).to_have_text("active")
    assert config_in_use(studio, "my-plugin") == {"timeout": 31}

    press(page, "unload", "my-plugin")
    expect(row(page, "my-plugin").get_by_role("button", name="Load", exact=True)).to_be_enabled()
    menu(page, "My Custom Plugin", "Remove")
    expect(row(page, "my-plugin")).to_have_count(0)
    page.reload()
    page.get_by_text(re.compile(r"Removed plugins \(\d+\)")).click()
    page.get_by_role("button", name="Restore My Custom Plugin").click()
    expect(row(page, "my-plugin")).to_be_visible()
    assert studio.http.get("/api/plugins/my-plugin").json()["config"]["timeout"] == 31


def test_removing_what_others_need_takes_them_along(operator_page: Page, drop: Drop, studio: Studio) -> None:
    drop("ground-floor", spec_tool("ground-floor", name="Ground floor"))
    drop("first-floor", spec_tool("first-floor", name="First floor", needs="ground-floor"))
    page = discovered(operator_page)
    press(page, "load", "first-floor")
    expect(state(page, "ground-floor")).to_have_text("active")

    page.goto("/plugins/first-floor/dependencies")
    needs = page.get_by_role("region", name="It needs")
    expect(needs.get_by_role("listitem")).to_contain_text("Ground floor")
    needs.get_by_role("link", name="Ground floor").click()
    expect(page.get_by_role("region", name="It is needed by")).to_contain_text("First floor")

    menu(page, "Ground floor", "Unload and remove…")
    dialog = page.get_by_role("dialog", name="Other plugins need Ground floor")
    dialog.get_by_text("What happens, in which order").click()
    steps = dialog.get_by_role("list", name="What happens, in this order").get_by_role("listitem")
    expect(steps).to_contain_text(["Unload First floor", "Unload Ground floor"])
    dialog.get_by_role("button", name="Unload all, remove this one").click()
    expect(page).to_have_url(re.compile("/plugins$"))
    expect(row(page, "ground-floor")).to_have_count(0)
    expect(state(page, "first-floor")).not_to_have_text("active")
    told(page).get_by_role("button", name="Undo").click()
    for plugin_id in ("ground-floor", "first-floor"):
        expect(state(page, plugin_id)).to_have_text("active")


def test_a_plugin_has_its_nodes_and_its_events(operator_page: Page, drop: Drop, studio: Studio) -> None:
    drop("eventful", spec_tool("eventful"))
    assert studio.http.post("/api/plugins/load", {"plugin_id": "eventful"}).status == 200
    page = operator_page
    page.goto("/plugins/eventful/nodes")
    expect(page.get_by_role("region", name="Nodes").get_by_role("listitem")).to_contain_text("generation")
    page.get_by_role("link", name="Events").click()
    events = page.get_by_role("region", name="Events").get_by_role("listitem")
    expect(events.filter(has_text="Loaded")).to_have_count(1)
    assert studio.http.post("/api/plugins/eventful/unload").status == 200
    expect(events.first).to_contain_text("Unloaded")


def test_the_system_page_shows_its_parts_and_this_node(operator_page: Page) -> None:
    page = operator_page
    page.goto("/")
    page.get_by_role("link", name="System").click()
    expect(page.get_by_text("Everything answers.")).to_be_visible()
    node = page.get_by_role("region", name="Nodes").get_by_role("listitem").filter(has_text="this one")
    expect(node).to_contain_text("ready")
    expect(node.get_by_role("list", name="Protections")).to_be_visible()
    expect(node.get_by_role("button")).to_have_count(0)
