"""The token meter is a UI plugin without Python: its manifest is what there is to hold."""

from __future__ import annotations

import json
from pathlib import Path

from plugins_app.sdk import PluginType
from plugins_app.sdk.manifest import read_manifest
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]


def test_the_manifest_mounts_it_in_the_toolbar_as_trusted() -> None:
    metadata = read_manifest(FOLDER / "plugin.toml")
    assert metadata.id == "token-meter"
    assert metadata.plugin_type is PluginType.UI
    assert metadata.ui == {"entry": "ui/index.js", "mounts": ["toolbar/v1"], "isolation": "page"}
    assert metadata.permissions == {}


def test_its_entry_is_a_module_in_its_ui_folder() -> None:
    entry = FOLDER / read_manifest(FOLDER / "plugin.toml").ui["entry"]
    assert entry.parent == FOLDER / "ui"
    assert "export" in entry.read_text(encoding="utf-8")


def test_the_folder_has_what_the_specification_names() -> None:
    assert json.loads((FOLDER / "config.json").read_text())["enabled"] is True
    assert (FOLDER / "__init__.py").is_file()
    assert (FOLDER / "README.md").is_file()


async def test_it_loads_without_python_and_has_no_methods() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert plugin.metadata.name == "Token meter"
