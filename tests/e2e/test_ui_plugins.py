"""UI plugins in the real page: mounted, swapped and taken away while somebody looks at it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.chatting import ask, new_chat
from tests.e2e.conftest import Console
from tests.studio import Studio

_MANIFEST = """
[plugin]
id = "{id}"
name = "{name}"
version = "1.0.0"
type = "ui"

[ui]
entry = "ui/index.js"
mounts = ["toolbar/v1", "sidebar/v1", "chat-input/v1"]
isolation = "{isolation}"
"""
_MOUNTS = ("toolbar", "sidebar", "chat-input")

_GREETER = """
import { createElement, useState } from "react";
import { PluginType } from "@/plugins/pluginSystem";

function Greeting({ mountPoint }) {
  const [count, setCount] = useState(0);
  return createElement("button", { type: "button", onClick: () => setCount(count + 1) },
    `WORD from ${mountPoint}, pressed ${count}`);
}

export default class Greeter {
  metadata = { id: "greeter", name: "Greeter", version: "1.0.0", type: PluginType.UI };
  getMountPoint() { return ["toolbar/v1", "sidebar/v1", "chat-input/v1"]; }
  getComponent() { return Greeting; }
}
"""
_THROWS = """
import { createElement } from "react";
export default {
  getMountPoint: () => "toolbar/v1",
  getComponent: () => function Broken() { throw new Error("the needle is stuck"); },
};
"""
_REFUSES = """
import { createElement } from "react";
export default {
  initialize() { throw new Error("no ink left"); },
  getMountPoint: () => "toolbar/v1",
  getComponent: () => () => createElement("b", null, "never shown"),
};
"""
_CURIOUS = """
import { createElement, useEffect, useState } from "react";
const attempts = {
  document: () => parent.document.title,
  cookies: () => document.cookie,
  storage: () => localStorage.length,
  network: () => fetch("/api/auth/me"),
};
function Curious() {
  const [found, setFound] = useState("looking");
  useEffect(() => {
    const tries = Object.entries(attempts).map(async ([name, look]) => {
      try { await look(); return name; } catch { return null; }
    });
    Promise.all(tries).then((names) => setFound(`it reached ${names.filter(Boolean).join(", ") || "nothing"}`));
  }, []);
  return createElement("span", null, found);
}
export default { getMountPoint: () => "toolbar/v1", getComponent: () => Curious };
"""

Drop = Callable[..., Path]


@pytest.fixture
def drop_ui(plugin_folder: Drop) -> Drop:
    """Drops the folder of a UI plugin: a manifest, a module, and nothing else that would be needed."""

    def drop(plugin_id: str, module: str, *, name: str = "", isolation: str = "page") -> Path:
        manifest = _MANIFEST.format(id=plugin_id, name=name or plugin_id.capitalize(), isolation=isolation)
        return plugin_folder(plugin_id, files={"plugin.toml": manifest, "ui/index.js": module})

    return drop


def mount(page: Page, point: str) -> Locator:
    """A place for UI plugins."""
    return page.get_by_test_id(f"mount-{point}")


def load_by_hand(page: Page, plugin_id: str) -> None:
    """Find and load a new plugin on the plugins page."""
    page.goto("/plugins")
    page.get_by_role("button", name="Discover").click()
    page.get_by_test_id(f"plugin-load-{plugin_id}").click()
    expect(page.get_by_test_id(f"plugin-state-{plugin_id}")).to_have_text("active")


def load(studio: Studio, plugin_id: str) -> None:
    """Load a plugin as another client would."""
    answer = studio.http.post("/api/plugins/load", {"plugin_id": plugin_id})
    assert answer.status == 200, answer.text


def test_it_appears_where_its_manifest_says_and_leaves_when_unloaded(operator_page: Page, drop_ui: Drop) -> None:
    drop_ui("greeter", _GREETER.replace("WORD", "Hello"))
    load_by_hand(operator_page, "greeter")
    operator_page.get_by_test_id("new-chat").click()
    for point in _MOUNTS:
        expect(mount(operator_page, point).get_by_text(f"Hello from {point}")).to_be_visible()
    mount(operator_page, "chat-input").get_by_role("button", name="Hello from").click()
    expect(operator_page.get_by_text("Hello from chat-input, pressed 1")).to_be_visible()
    operator_page.get_by_test_id("nav-plugins").click()
    operator_page.get_by_test_id("plugin-unload-greeter").click()
    expect(operator_page.get_by_text("Greeter is unloaded.")).to_be_visible()
    operator_page.get_by_test_id("new-chat").click()
    expect(operator_page.get_by_test_id("chat-input")).to_be_visible()
    expect(operator_page.get_by_text("Hello from")).to_have_count(0)


def test_edited_code_is_swapped_in_without_a_reload_of_the_page(operator_page: Page, drop_ui: Drop) -> None:
    folder = drop_ui("greeter", _GREETER.replace("WORD", "Hello"))
    load_by_hand(operator_page, "greeter")
    operator_page.evaluate("window.samePage = true")
    (folder / "ui" / "index.js").write_text(_GREETER.replace("WORD", "Goodbye"))
    operator_page.get_by_test_id("plugin-reload-greeter").click()
    expect(operator_page.get_by_text(re.compile(r"Greeter was swapped: generation \d+ is serving"))).to_be_visible()
    operator_page.get_by_test_id("new-chat").click()
    for point in _MOUNTS:
        expect(mount(operator_page, point).get_by_text(f"Goodbye from {point}")).to_be_visible()
    expect(operator_page.get_by_text("Hello from")).to_have_count(0)
    assert operator_page.evaluate("window.samePage")


def test_it_comes_changes_and_goes_while_somebody_else_chats(
    operator_page: Page, drop_ui: Drop, studio: Studio
) -> None:
    new_chat(operator_page)
    ask(operator_page, "I stay on this page")
    operator_page.get_by_label("Message", exact=True).fill("half a sent")
    folder = drop_ui("greeter", _GREETER.replace("WORD", "Hello"))
    load(studio, "greeter")
    expect(mount(operator_page, "toolbar").get_by_text("Hello from toolbar")).to_be_visible()
    (folder / "ui" / "index.js").write_text(_GREETER.replace("WORD", "Goodbye"))
    assert studio.http.post("/api/plugins/greeter/reload").status == 200
    expect(mount(operator_page, "toolbar").get_by_text("Goodbye from toolbar")).to_be_visible()
    expect(operator_page.get_by_text("Hello from")).to_have_count(0)
    assert studio.http.post("/api/plugins/greeter/unload").status == 200
    expect(operator_page.get_by_text("Goodbye from")).to_have_count(0)
    expect(operator_page.get_by_label("Message", exact=True)).to_have_value("half a sent")
    expect(operator_page.get_by_text("You said: I stay on this page")).to_be_visible()


def test_one_that_throws_is_a_chip_and_harms_nothing(
    operator_page: Page, drop_ui: Drop, studio: Studio, console: Console
) -> None:
    console.expect("the needle is stuck")
    drop_ui("greeter", _GREETER.replace("WORD", "Hello"))
    folder = drop_ui("stuck", _THROWS, name="Stuck gauge")
    load(studio, "greeter")
    load(studio, "stuck")
    new_chat(operator_page)
    chip = mount(operator_page, "toolbar").get_by_role("alert")
    expect(chip).to_contain_text("Stuck gauge")
    expect(chip).to_contain_text("stopped working: the needle is stuck")
    chip.get_by_role("button", name="Retry").click()
    expect(chip).to_be_visible()
    expect(mount(operator_page, "toolbar").get_by_text("Hello from toolbar")).to_be_visible()
    expect(operator_page.get_by_test_id("token-meter")).to_be_visible()
    expect(ask(operator_page, "are you well?")).to_contain_text("You said: are you well?")
    (folder / "ui" / "index.js").write_text(_GREETER.replace("WORD", "Mended"))
    assert studio.http.post("/api/plugins/stuck/reload").status == 200
    expect(mount(operator_page, "toolbar").get_by_text("Mended from toolbar")).to_be_visible()
    expect(chip).to_have_count(0)


def test_a_new_version_that_fails_leaves_the_old_one_in_place(
    operator_page: Page, drop_ui: Drop, studio: Studio, console: Console
) -> None:
    console.expect("no ink left")
    folder = drop_ui("greeter", _GREETER.replace("WORD", "Hello"))
    load(studio, "greeter")
    new_chat(operator_page)
    expect(mount(operator_page, "toolbar").get_by_text("Hello from toolbar")).to_be_visible()
    (folder / "ui" / "index.js").write_text(_REFUSES)
    with operator_page.expect_console_message(lambda message: "no ink left" in message.text):
        assert studio.http.post("/api/plugins/greeter/reload").status == 200
    expect(mount(operator_page, "toolbar").get_by_text("Hello from toolbar")).to_be_visible()
    expect(operator_page.get_by_text("never shown")).to_have_count(0)


def test_one_in_a_frame_reaches_nothing_of_the_page(
    operator_page: Page, drop_ui: Drop, studio: Studio, console: Console
) -> None:
    console.expect("Content Security Policy|blocked by CORS|Failed to load resource: net::ERR_FAILED")
    drop_ui("curious", _CURIOUS, isolation="iframe")
    load(studio, "curious")
    new_chat(operator_page)
    frame = mount(operator_page, "toolbar").frame_locator("iframe[title=Curious]")
    expect(frame.get_by_text("it reached")).to_have_text("it reached nothing")
    assert "allow-same-origin" not in (mount(operator_page, "toolbar").locator("iframe").get_attribute("sandbox") or "")


def test_the_token_meter_counts_a_chat(operator_page: Page, configured: Callable[..., None]) -> None:
    configured("example-provider", delay_ms=20)
    new_chat(operator_page, "Story")
    meter = mount(operator_page, "toolbar").get_by_test_id("token-meter")
    expect(meter).to_contain_text("0 tokens")
    operator_page.evaluate(
        """() => {
          window.counts = [];
          const meter = document.querySelector("[data-testid=token-meter-tokens]");
          new MutationObserver(() => window.counts.push(Number(meter.textContent.replace(/\\D/g, ""))))
            .observe(meter, { childList: true, subtree: true, characterData: true });
        }"""
    )
    answer = ask(operator_page, "Count with me")
    assert len(set(operator_page.evaluate("window.counts"))) >= 3, "it stood still while the answer came"
    expect(meter).not_to_contain_text("≈")
    meter.click()
    details = operator_page.get_by_role("dialog", name="Token use")
    expect(details).to_contain_text("Messages2")
    total = re.search(r"Total([\d,]+)", details.inner_text().replace("\n", ""))
    assert total
    expect(answer).to_contain_text(f"{total[1]} tokens")
    operator_page.keyboard.press("Escape")
    expect(details).to_have_count(0)
