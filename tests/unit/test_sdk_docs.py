"""The code in docs/writing-plugins.md works as written there."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from plugins_app.sdk import Limits, PluginError
from plugins_app.sdk.manifest import read_manifest
from plugins_app.sdk.testing import PluginHarness

DOCUMENT = Path(__file__).parents[2] / "docs" / "writing-plugins.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def dice(tmp_path: Path) -> Path:
    folder = tmp_path / "dice"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "config.json").write_text('{"enabled": true}')
    (folder / "plugin.toml").write_text(blocks("toml")[0])
    (folder / "plugin.py").write_text(blocks("python")[0])
    return folder


async def test_the_first_plugin_rolls(dice: Path) -> None:
    async with PluginHarness(dice, config={"sides": 2}) as plugin:
        assert plugin.metadata.id == "dice"
        assert [action["name"] for action in await plugin.call("get_actions")] == ["roll"]
        result = await plugin.call("execute", action="roll", parameters={"count": 3})
        assert result["sum"] == sum(result["rolls"])
        assert 3 <= result["sum"] <= 6
        with pytest.raises(PluginError, match="can only roll"):
            await plugin.call("execute", action="eat", parameters={})


def test_the_manifest_reference_is_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "config.schema.json").write_text("{}")
    (tmp_path / "migrations.py").write_text("")
    (tmp_path / "plugin.toml").write_text(max(blocks("toml"), key=len))
    metadata = read_manifest(tmp_path / "plugin.toml")
    assert metadata.id == "web-search"
    assert metadata.limits == {field.name: field.default for field in fields(Limits)}
    assert [one.replace(" ", "") for one in metadata.dependencies] == ["http-cache>=1.2,<2"]


def test_every_python_block_compiles() -> None:
    for block in blocks("python"):
        compile(block, "writing-plugins.md", "exec")
