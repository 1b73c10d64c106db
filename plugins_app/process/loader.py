"""From a folder of files to one plugin instance."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from plugins_app.sdk.base import BasePlugin
from plugins_app.sdk.context import Context, HostTransport
from plugins_app.sdk.errors import ConfigError
from plugins_app.sdk.metadata import PluginMetadata, PluginType
from plugins_app.sdk.state import OldState

from .spec import Failure, Spec

__all__ = [
    "PARENT",
    "LoadError",
    "create",
    "find_class",
    "holder",
    "import_plugin",
    "initialize",
    "load_class",
    "metadata_of",
    "migrate",
    "outcome_of",
]


#: The package that every plugin is imported under, in its own process.
PARENT = "installed_plugins"


class LoadError(Exception):
    """The plugin did not get ready; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def import_plugin(code_dir: Path, package: str, entry: str | None = None) -> ModuleType:
    """Import the plugin's main module under `installed_plugins.<package>`, a name of its own in this process."""
    holder()
    name = f"{PARENT}.{package}"
    module_name = (entry or "plugin").partition(":")[0]
    try:
        _import_package(name, code_dir)
        return importlib.import_module(f"{name}.{module_name}")
    except BaseException as error:  # a module may raise anything, SystemExit too
        raise LoadError(_import_failure(error, code_dir, name)) from error


def holder() -> None:
    """Make the package that all plugins are imported under."""
    if PARENT not in sys.modules:
        package = ModuleType(PARENT)
        package.__path__ = []
        sys.modules[PARENT] = package


def _import_package(name: str, code_dir: Path) -> None:
    init = code_dir / "__init__.py"
    if not init.exists():
        package = ModuleType(name)
        package.__path__ = [str(code_dir)]
        sys.modules[name] = package
        return
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(code_dir)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _import_failure(error: BaseException, code_dir: Path, name: str) -> Failure:
    hint = ""
    if isinstance(error, SyntaxError):
        where = f"{Path(error.filename or '?').name}, line {error.lineno}"
        return Failure("import_failed", f"SyntaxError in {where}: {error.msg}", hint="Correct the file and reload.")
    if isinstance(error, ModuleNotFoundError) and error.name:
        first = error.name.partition(".")[0]
        if (code_dir / f"{first}.py").exists() or (code_dir / first).is_dir():
            hint = f"'{first}' is the plugin's own: write `from . import {first}` (or `import {name}.{first}`)."
        else:
            hint = f"Add the package that provides '{first}' to [python] requirements in plugin.toml."
    elif isinstance(error, ImportError) and "circular import" in str(error):
        hint = "Two modules of the plugin import each other: move what both need into a third."
    text = "".join(traceback.format_exception(error))
    return Failure("import_failed", f"{type(error).__name__}: {error}", text, hint)


def load_class(spec: Spec) -> type[BasePlugin]:
    """The plugin's class. A UI plugin needs no Python: without a `plugin.py` it is a plugin that does nothing here."""
    is_ui = (spec.manifest or {}).get("plugin_type") == PluginType.UI
    if is_ui and not spec.entry and not (Path(spec.code_dir) / "plugin.py").exists():
        return type("UIPlugin", (BasePlugin,), {})
    return find_class(import_plugin(Path(spec.code_dir), spec.package, spec.entry), spec.entry)


def find_class(module: ModuleType, entry: str | None = None) -> type[BasePlugin]:
    """The plugin's class: the one `entry` names, or the only one its main module defines."""
    wanted = (entry or "").partition(":")[2]
    if wanted:
        found = getattr(module, wanted, None)
        if isinstance(found, type) and issubclass(found, BasePlugin):
            return found
        raise LoadError(Failure("no_class", f"entry names {wanted}, which is not a plugin class in {module.__name__}"))
    package = module.__name__.rpartition(".")[0]
    types = dict.fromkeys(item for item in vars(module).values() if isinstance(item, type))
    classes = [item for item in types if issubclass(item, BasePlugin) and item.__module__.startswith(package)]
    leaves = [item for item in classes if not any(other is not item and issubclass(other, item) for other in classes)]
    if not leaves:
        raise LoadError(
            Failure("no_class", "plugin.py defines no class that derives from BasePlugin", hint="Derive one from it.")
        )
    if len(leaves) > 1:
        names = ", ".join(sorted(item.__name__ for item in leaves))
        hint = f'Keep one, or name it in plugin.toml: entry = "plugin:{leaves[0].__name__}".'
        raise LoadError(Failure("several_classes", f"plugin.py defines several plugin classes: {names}", hint=hint))
    return leaves[0]


def create(plugin_class: type[BasePlugin], spec: Spec, transport: HostTransport | None = None) -> BasePlugin:
    """An instance with its configuration, context and manifest, whatever its `__init__` takes."""
    if spec.manifest is not None:
        plugin_class._metadata = PluginMetadata.from_dict(spec.manifest)
    config = MappingProxyType(dict(spec.config))
    # Before __init__ too: a constructor may already log or look at the context.
    plugin_class._context = Context(spec.plugin_id, transport)
    try:
        plugin = plugin_class(dict(spec.config)) if _takes_config(plugin_class) else plugin_class()
    except BaseException as error:  # as above, from its constructor
        raise LoadError(_failure("initialize_raised", f"{plugin_class.__name__}()", error)) from error
    plugin._config = config
    return plugin


def _takes_config(plugin_class: type[BasePlugin]) -> bool:
    try:
        inspect.signature(plugin_class).bind({})
    except (TypeError, ValueError):
        return False
    return True


def metadata_of(plugin: BasePlugin) -> PluginMetadata:
    """The plugin's metadata, checked."""
    try:
        metadata: object = plugin.metadata
    except BaseException as error:  # as above, from its property
        raise LoadError(_failure("metadata_failed", "metadata", error)) from error
    if not isinstance(metadata, PluginMetadata):
        kind = type(metadata).__name__
        raise LoadError(Failure("metadata_failed", f"metadata returned {kind}, not PluginMetadata"))
    return metadata


async def initialize(plugin: BasePlugin, timeout: float) -> None:
    """Run `validate_config` and `initialize` under the time limit. Raises LoadError."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            if await outcome_of(plugin.validate_config) is False:
                raise LoadError(Failure("config_invalid", "validate_config returned False"))
            if not _is_success(await outcome_of(plugin.initialize)):
                text = "initialize returned False"
                raise LoadError(Failure("initialize_returned_false", text, hint="The plugin's log may say why."))
    except LoadError:
        raise
    except ConfigError as error:
        raise LoadError(_failure("config_invalid", "configuration", error)) from error
    except BaseException as error:  # a plugin may raise anything, a TimeoutError of its own too: all mean "not loaded"
        if limit.expired():
            raise LoadError(_too_slow(timeout)) from error
        raise LoadError(_failure("initialize_raised", "initialize", error)) from error


async def migrate(plugin: BasePlugin, old: OldState, timeout: float) -> None:
    """Let the plugin take over what the generation before left. Raises LoadError."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            await outcome_of(lambda: plugin.migrate_state(old))
    except BaseException as error:  # whatever it raises, the old generation goes on
        if limit.expired():
            text = f"migrate_state was not done after {timeout:g} s"
            raise LoadError(Failure("migrate_failed", text)) from error
        raise LoadError(_failure("migrate_failed", "migrate_state", error)) from error


def _too_slow(timeout: float) -> Failure:
    text = f"initialize was not done after {timeout:g} s"
    hint = "Move slow work out of initialize, or raise limits.init_timeout_s in plugin.toml."
    return Failure("initialize_timeout", text, hint=hint)


async def outcome_of(function: Callable[[], Any]) -> Any:
    """Call a lifecycle method, sync (in a thread) or async."""
    if inspect.iscoroutinefunction(function):
        return await function()
    value = await asyncio.to_thread(function)
    return await value if inspect.isawaitable(value) else value


def _is_success(value: Any) -> bool:
    # None: the author wrote no return; only an explicit False is a refusal.
    return value is None or bool(value)


def _failure(code: Any, what: str, error: BaseException) -> Failure:
    text = "".join(traceback.format_exception(error))
    return Failure(code, f"{what} raised {type(error).__name__}: {error}", text)
