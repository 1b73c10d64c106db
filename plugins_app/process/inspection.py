"""What is asked of a plugin's code beside its own process: its metadata, or its configuration for another version.

Each question gets a sandboxed process of its own, which then ends.
"""

from __future__ import annotations

import copy
import importlib
import json
import socket
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from plugins_app.sdk.base import BasePlugin, MiddlewarePlugin

from . import spec as messages
from .loader import PARENT, LoadError, create, holder, load_class, metadata_of
from .main import prepare
from .sandbox import apply
from .scrubbing import Scrubber
from .spec import Failure, Migrated, Migration, Ready, Report, Spec

__all__ = ["migrate", "serve"]


def serve(channel: socket.socket) -> None:
    """Receive a `Spec`, answer with `Ready` (only its metadata counts) or `Failure`."""
    spec: Spec = messages.receive(channel, Spec)
    prepare(spec)
    apply(spec.sandbox)
    report = _inspect(spec)
    # What is secret in metadata can be told when its schema is known; until then everything may be.
    messages.send(channel, Scrubber(spec.secrets).report(report) if isinstance(report, Failure) else report)


def _inspect(spec: Spec) -> Report:
    try:
        plugin = create(load_class(spec), spec)
        return Ready(_described(plugin), [])
    except LoadError as error:
        return error.failure


def _described(plugin: BasePlugin) -> dict[str, Any]:
    metadata = metadata_of(plugin).to_dict()
    if isinstance(plugin, MiddlewarePlugin):  # what a manifest would say under [middleware]
        metadata["middleware"] = {"priority": plugin.priority, "on_error": plugin.on_error, **metadata["middleware"]}
    return metadata


def migrate(channel: socket.socket) -> None:
    """Receive a `Migration`, answer with `Migrated` or `Failure`."""
    order: Migration = messages.receive(channel, Migration)
    prepare(order.spec)
    apply(order.spec.sandbox)
    answer = _migrated(order)
    messages.send(channel, Scrubber(order.spec.secrets).report(answer) if isinstance(answer, Failure) else answer)


def _migrated(order: Migration) -> Migrated | Failure:
    try:
        module = _import_alone(order.spec, order.module)
    except BaseException as error:  # noqa: BLE001 - the plugin's code may raise anything; this process ends with it
        return _failure(f"{order.module.replace('.', '/')}.py cannot be imported", error)
    config, missing = order.spec.config, []
    for step in order.steps:
        function = getattr(module, step, None)
        if function is None:
            missing.append(step)
            continue
        outcome = _carried(step, function, config)
        if isinstance(outcome, Failure):
            return outcome
        config = outcome
    return Migrated(config, missing)


def _import_alone(spec: Spec, module: str) -> ModuleType:
    """The module without the plugin's `__init__.py`, which may need packages that are not installed yet."""
    holder()
    name = f"{PARENT}.{spec.package}"
    package = ModuleType(name)
    package.__path__ = [spec.code_dir]
    sys.modules[name] = package
    return importlib.import_module(f"{name}.{module}")


def _carried(step: str, function: Callable[[Any], Any], config: dict[str, Any]) -> dict[str, Any] | Failure:
    try:
        outcome = function(copy.deepcopy(config))
        if not isinstance(outcome, dict):
            return Failure(
                "migration_failed", f"{step} returned {type(outcome).__name__}; it must return the configuration"
            )
        plain: dict[str, Any] = json.loads(json.dumps(outcome, allow_nan=False))
        return plain
    except BaseException as error:  # noqa: BLE001 - as above
        return _failure(step, error)


def _failure(what: str, error: BaseException) -> Failure:
    text = "".join(traceback.format_exception(error))
    return Failure("migration_failed", f"{what}: {type(error).__name__}: {error}", text)
