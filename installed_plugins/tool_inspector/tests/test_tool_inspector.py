"""The tool inspector is a UI plugin without Python: its manifest is what there is to hold; vitest tests the rest."""

from __future__ import annotations

import json
from pathlib import Path

from plugins_app.sdk import PluginType
from plugins_app.sdk.manifest import read_manifest
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]


def test_the_manifest_mounts_it_at_its_place_and_asks_for_nothing() -> None:
    metadata = read_manifest(FOLDER / "plugin.toml")
    assert metadata.id == "tool-inspector"
    assert metadata.plugin_type is PluginType.UI
    assert metadata.ui == {"entry": "ui/index.js", "mounts": ["right-panel/v1"], "isolation": "page"}
    assert metadata.permissions == {}


def test_every_module_it_imports_comes_with_it() -> None:
    own = {path.name for path in (FOLDER / "ui").iterdir()}
    for module in (FOLDER / "ui").glob("*.js"):
        imported = [line.split('"')[-2] for line in module.read_text(encoding="utf-8").splitlines() if " from " in line]
        strange = [name for name in imported if name.startswith("./") and name[2:] not in own]
        assert strange == [], f"{module.name} imports {strange}"


def test_it_is_loaded_at_first_or_not_as_its_readme_says() -> None:
    assert json.loads((FOLDER / "config.json").read_text())["enabled"] is True


async def test_it_loads_without_python_and_has_its_defaults() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert plugin.metadata.name == "Tool inspector"
        assert plugin.plugin.get_config("open_levels") == 1
