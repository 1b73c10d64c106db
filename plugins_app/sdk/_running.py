"""How the harness of `sdk.testing` imports and calls a plugin: the real runtime's rules, in process."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from .base import BasePlugin
from .errors import DeadlineExceeded, PluginError
from .metadata import PluginMetadata

__all__ = [
    "dependency_ids",
    "folder_config",
    "imported",
    "in_call",
    "invoke",
    "items_of",
    "limit",
    "merged",
    "misfit",
    "outcome_of",
    "plain",
    "plugin_class_in",
]

#: Whether the code that asks runs for a call: only then the studio answers.
in_call: contextvars.ContextVar[bool] = contextvars.ContextVar("in_call", default=False)
_PARENT = "installed_plugins"
_NAME = re.compile(r"\s*([a-z0-9_-]*)")


def dependency_ids(metadata: PluginMetadata) -> set[str]:
    """The plugins that this one may call because it depends on them, optionally or not."""
    asked = [*metadata.dependencies, *metadata.optional_dependencies]
    names = (_NAME.match(text) for text in asked)
    return {found[1].replace("_", "-") for found in names if found is not None}


@contextlib.contextmanager
def imported(folder: Path, module: str) -> Iterator[ModuleType]:
    """The plugin's main module, imported afresh; what was imported before comes back afterwards."""
    name = f"{_PARENT}.{folder.name.replace('-', '_')}"
    before = {key: value for key, value in sys.modules.items() if key == name or key.startswith(f"{name}.")}
    for key in before:
        del sys.modules[key]
    try:
        _import_package(name, folder)
        yield importlib.import_module(f"{name}.{module}")
    finally:
        for key in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[key]
        sys.modules.update(before)


def _import_package(name: str, folder: Path) -> None:
    if _PARENT not in sys.modules:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(_PARENT)
    sys.modules.setdefault(_PARENT, ModuleType(_PARENT)).__dict__.setdefault("__path__", [])
    init = folder / "__init__.py"
    if not init.is_file():
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
        return
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None  # a .py path always has a loader
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


def plugin_class_in(module: ModuleType, wanted: str) -> type[BasePlugin] | str:
    """The class called `wanted`, or the only plugin class that the plugin itself defines; else what is wrong."""
    if wanted:
        found = getattr(module, wanted, None)
        if isinstance(found, type) and issubclass(found, BasePlugin):
            return found
        return f"entry names {wanted}, which is no plugin class"
    classes = [item for item in vars(module).values() if isinstance(item, type) and issubclass(item, BasePlugin)]
    own = [item for item in dict.fromkeys(classes) if item.__module__.startswith(_PARENT)]
    leaves = [item for item in own if not any(other is not item and issubclass(other, item) for other in own)]
    if len(leaves) == 1:
        return leaves[0]
    names = ", ".join(sorted(item.__name__ for item in leaves))
    return f"{module.__name__} defines several plugin classes: {names}" if leaves else "there is no plugin class"


def folder_config(folder: Path | None) -> dict[str, Any]:
    """The folder's config.json."""
    path = folder / "config.json" if folder is not None else None
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path is not None and path.is_file() else {}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` on top, objects merged."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def misfit(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """Why these arguments do not fit; None when they do."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


@contextlib.asynccontextmanager
async def limit(seconds: float, what: str) -> AsyncIterator[None]:
    """Raise DeadlineExceeded when the block takes longer."""
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            yield
    except TimeoutError as error:
        if not timer.expired():
            raise  # the plugin's own
        raise DeadlineExceeded(f"{what} was not done after {seconds:g} s") from error


async def outcome_of(function: Callable[[], Any]) -> Any:
    """The outcome of a lifecycle method, sync or async."""
    return await invoke(function, [], {})


async def invoke(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call: async on the loop, sync in a thread."""
    if inspect.iscoroutinefunction(function):
        return await function(*args, **kwargs)
    if inspect.isasyncgenfunction(function):
        return function(*args, **kwargs)
    outcome = await asyncio.to_thread(function, *args, **kwargs)
    return await outcome if inspect.isawaitable(outcome) else outcome


def items_of(outcome: Any) -> AsyncIterator[Any] | None:
    """The items, when a method turned out to be a generator; a sync one runs in a thread."""
    if inspect.isgenerator(outcome):
        return _from_thread(outcome)
    return outcome if isinstance(outcome, AsyncIterator) else None


async def _from_thread(generator: Iterator[Any]) -> AsyncIterator[Any]:
    end = object()
    while (item := await asyncio.to_thread(next, generator, end)) is not end:
        yield item


def _nearest(value: Any) -> Any:
    """What msgpack does not know, as the nearest that it does; as the real wire does it."""
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if hasattr(value, "items"):
        return dict(value.items())
    raise NotImplementedError(f"a value of type {type(value).__name__} cannot be sent; return plain data")


def plain(value: Any, what: str) -> Any:
    """The value as it arrives on the other side of the wire."""
    try:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(value, enc_hook=_nearest))
    except (TypeError, ValueError, NotImplementedError, OverflowError, RecursionError) as error:
        raise PluginError(f"{what}: {error}") from error
