"""Reads the metadata of a spec-style plugin: imports it, in a sandboxed process of its own that then ends."""

from __future__ import annotations

import socket
from typing import Any

from plugins_app.sdk.base import BasePlugin, MiddlewarePlugin

from . import spec as messages
from .loader import LoadError, create, load_class, metadata_of
from .main import prepare
from .sandbox import apply
from .spec import Ready, Report, Spec

__all__ = ["serve"]


def serve(channel: socket.socket) -> None:
    """Receive a `Spec`, answer with `Ready` (only its metadata counts) or `Failure`."""
    spec: Spec = messages.receive(channel, Spec)
    prepare(spec)
    apply(spec.sandbox)
    messages.send(channel, _inspect(spec))


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
