"""`ui.config`: what a UI plugin's code gets in everybody's browser. Its secrets are for nobody there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.studio import Studio

Drop = Callable[..., Path]
MANIFEST = """
[plugin]
id = "shown"
name = "Shown"
version = "1.0.0"
author = "Ada"
description = "A panel with a key."
type = "ui"

[ui]
entry = "ui/index.js"
mounts = ["sidebar/v1"]

[config.schema.color]
type = "string"
default = "red"

[config.schema.api_key]
type = "string"

[config.schema.login]
type = "object"
"""
NEEDLE = "needle-in-the-browser"


@pytest.fixture
def shown(studio: Studio, plugin_folder: Drop) -> Studio:
    studio.http.delete("/api/plugins/shown")
    plugin_folder("shown", files={"plugin.toml": MANIFEST, "ui/index.js": "export default {};"})
    return studio


def test_everybody_gets_the_effective_configuration_without_its_secrets(shown: Studio) -> None:
    assert shown.as_user.get("/api/plugins/shown").json()["ui"]["config"] == {"color": "red"}
    given = {"color": "blue", "api_key": NEEDLE}
    loaded = shown.http.post("/api/plugins/load", {"plugin_id": "shown", "config": given})
    assert loaded.status == 200 and loaded.json()["ui"]["config"] == {"color": "blue"}
    seen = shown.as_user.get("/api/plugins/shown").json()
    assert seen["ui"]["config"] == {"color": "blue"} and "config" not in seen
    listed = shown.as_user.get("/api/plugins")
    assert NEEDLE not in listed.text and "$secret" not in listed.text
    assert shown.anonymous.get("/api/plugins/shown").status == 401


def test_what_becomes_a_secret_later_is_one_from_then_on(shown: Studio, plugin_folder: Drop) -> None:
    given = {"login": {"user": "ada", "pin": NEEDLE}}
    shown.http.post("/api/plugins/load", {"plugin_id": "shown", "config": given})
    assert shown.as_user.get("/api/plugins/shown").json()["ui"]["config"]["login"]["pin"] == NEEDLE
    secret = MANIFEST + "secret = true\n"
    plugin_folder("shown", files={"plugin.toml": secret, "ui/index.js": "export default {};"})
    reloaded = shown.http.post("/api/plugins/shown/reload")
    assert reloaded.status == 200 and NEEDLE not in reloaded.text
    assert reloaded.json()["config"]["login"] == "********"
    assert reloaded.json()["ui"]["config"] == {"color": "red"}
