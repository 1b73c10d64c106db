"""From a folder to a plugin instance, and what is said when it does not get that far."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins_app.process.loader import (
    LoadError,
    create,
    find_class,
    import_plugin,
    initialize,
    load_class,
    metadata_of,
)
from plugins_app.process.spec import Failure, Spec
from plugins_app.sdk import BasePlugin, ConfigError, ToolPlugin

HEAD = "from backend.plugins.base_plugin import BasePlugin, ToolPlugin\n"


@pytest.fixture(autouse=True)
def forget_modules() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.startswith("installed_plugins")]:
        del sys.modules[name]


def load(folder: Path, entry: str | None = None) -> type[BasePlugin]:
    return find_class(import_plugin(folder, "probe", entry), entry)


def failure_of(folder: Path, entry: str | None = None) -> Failure:
    with pytest.raises(LoadError) as caught:
        load(folder, entry)
    return caught.value.failure


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_the_only_class_is_found_also_without_an_init_file(tmp_path: Path) -> None:
    found = load(write(tmp_path, plugin=HEAD + "class Mine(ToolPlugin): pass"))
    assert found.__name__ == "Mine"
    assert issubclass(found, ToolPlugin)


def test_a_class_imported_from_the_plugins_own_module_counts(tmp_path: Path) -> None:
    write(tmp_path, __init__="", core=HEAD + "class Mine(ToolPlugin): pass", plugin="from .core import Mine")
    assert load(tmp_path).__name__ == "Mine"


def test_of_a_class_and_its_subclass_the_subclass_is_meant(tmp_path: Path) -> None:
    text = HEAD + "class Base(ToolPlugin): pass\nclass Mine(Base): pass"
    assert load(write(tmp_path, plugin=text)).__name__ == "Mine"


def test_two_classes_are_named_and_entry_chooses(tmp_path: Path) -> None:
    write(tmp_path, plugin=HEAD + "class A(BasePlugin): pass\nclass B(BasePlugin): pass")
    failure = failure_of(tmp_path)
    assert failure.code == "several_classes"
    assert "A, B" in failure.message
    assert load(tmp_path, "plugin:B").__name__ == "B"


def test_an_entry_that_is_not_there_is_said(tmp_path: Path) -> None:
    write(tmp_path, plugin=HEAD + "class A(BasePlugin): pass")
    assert failure_of(tmp_path, "plugin:Nope").code == "no_class"


def test_no_class(tmp_path: Path) -> None:
    assert failure_of(write(tmp_path, plugin="x = 1")).code == "no_class"


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    failure = failure_of(write(tmp_path, plugin="x = 1\ndef broken(:\n"))
    assert failure.code == "import_failed"
    assert "plugin.py, line 2" in failure.message


def test_a_missing_package_says_where_to_ask_for_it(tmp_path: Path) -> None:
    failure = failure_of(write(tmp_path, plugin="import no_such_package"))
    assert "[python] requirements" in failure.hint


def test_an_absolute_import_of_an_own_module_says_how_to_write_it(tmp_path: Path) -> None:
    failure = failure_of(write(tmp_path, plugin="import helpers_of_mine", helpers_of_mine="x = 1"))
    assert "from . import helpers_of_mine" in failure.hint


def test_a_cyclic_import_is_explained(tmp_path: Path) -> None:
    write(tmp_path, __init__="", a="from .b import y\nx = 1", b="from .a import x\ny = 1", plugin="from .a import x")
    assert "import each other" in failure_of(tmp_path).hint


def test_an_exit_while_importing_is_a_failure_like_any_other(tmp_path: Path) -> None:
    assert failure_of(write(tmp_path, plugin="raise SystemExit(3)")).code == "import_failed"


def spec_with(**config: object) -> Spec:
    return Spec("probe", "probe", "", "", config=config)


def test_config_reaches_a_plugin_whose_init_takes_none() -> None:
    class Mine(BasePlugin):
        def __init__(self) -> None:
            self.seen = "own"

    plugin = create(Mine, spec_with(key="v"))
    assert plugin.get_config("key") == "v"


def test_config_is_frozen() -> None:
    plugin = create(type("Mine", (BasePlugin,), {}), spec_with(key="v"))
    with pytest.raises(TypeError):
        plugin.config["key"] = "w"  # type: ignore[index]


def test_metadata_of_the_wrong_kind_is_said() -> None:
    plugin = create(type("Mine", (BasePlugin,), {"metadata": {"id": "x"}}), spec_with())
    with pytest.raises(LoadError) as caught:
        metadata_of(plugin)
    assert caught.value.failure.code == "metadata_failed"
    assert "dict" in caught.value.failure.message


async def outcome(plugin: BasePlugin, timeout: float = 5) -> str:
    try:
        await initialize(plugin, timeout)
    except LoadError as error:
        return error.failure.code
    return "ready"


async def test_each_way_of_not_getting_ready_has_its_code() -> None:
    async def raises(self: BasePlugin) -> bool:
        raise OSError("no")

    async def refuses(self: BasePlugin) -> bool:
        return False

    async def hangs(self: BasePlugin) -> bool:
        await asyncio.Event().wait()
        return True

    async def dislikes_config(self: BasePlugin) -> bool:
        raise ConfigError("the key is too short")

    def make(**methods: object) -> BasePlugin:
        return create(type("Mine", (BasePlugin,), methods), spec_with())

    assert await outcome(make()) == "ready"
    assert await outcome(make(initialize=lambda self: True)) == "ready"
    assert await outcome(make(initialize=raises)) == "initialize_raised"
    assert await outcome(make(initialize=refuses)) == "initialize_returned_false"
    assert await outcome(make(initialize=hangs), 0.01) == "initialize_timeout"
    assert await outcome(make(validate_config=refuses)) == "config_invalid"
    assert await outcome(make(validate_config=dislikes_config)) == "config_invalid"


def test_a_ui_plugin_needs_no_python(tmp_path: Path) -> None:
    ui = Spec("probe", "probe", str(tmp_path), "", manifest={"plugin_type": "ui"})
    assert load_class(ui).__bases__ == (BasePlugin,)
    tool = Spec("probe", "probe", str(tmp_path), "", manifest={"plugin_type": "tool"})
    with pytest.raises(LoadError):
        load_class(tool)
