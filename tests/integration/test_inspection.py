"""Reading the metadata of a folder in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins_app.client import inspect_plugin

HEAD = """
import time
from backend.plugins.base_plugin import MiddlewarePlugin, PluginMetadata, PluginType

class Mine(MiddlewarePlugin):
    priority = 7

    @property
    def metadata(self):
        return PluginMetadata(id="mine", name="Mine", version="1.0.0", author="Ada", description="d",
                              plugin_type=PluginType.MIDDLEWARE)
"""


def test_metadata_is_read_with_what_the_class_says_of_itself(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(HEAD)
    result = inspect_plugin(tmp_path, "mine")
    assert result.problem is None
    assert result.metadata is not None
    assert result.metadata["id"] == "mine"
    assert result.metadata["middleware"] == {"priority": 7, "on_error": "fail"}


def test_a_constructor_may_look_at_the_folders_config(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(HEAD + "\n    def __init__(self, config):\n        self.key = config['key']\n")
    (tmp_path / "config.json").write_text('{"key": 1}')
    assert inspect_plugin(tmp_path, "mine").problem is None


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def broken(:", "import_failed"),
        ("x = 1", "no_class"),
        (HEAD.replace("return PluginMetadata(", "return dict("), "metadata_failed"),
        (HEAD + "\nimport os\nos._exit(0)", "inspection_timeout"),
        (HEAD + "\ntime.sleep(3600)", "inspection_timeout"),
        (HEAD + "\nopen('/etc/passwd')", "import_failed"),
    ],
)
def test_what_is_wrong_with_it_is_told(tmp_path: Path, source: str, code: str) -> None:
    (tmp_path / "plugin.py").write_text(source)
    result = inspect_plugin(tmp_path, "mine", timeout=1.0)
    assert result.metadata is None
    assert result.problem is not None
    assert result.problem["code"] == code
