"""Reads the metadata of a spec-style plugin: imports it, in a sandboxed process of its own that then ends."""

from __future__ import annotations

import socket
from pathlib import Path

from . import spec as messages
from .loader import LoadError, create, find_class, import_plugin, metadata_of
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
        module = import_plugin(Path(spec.code_dir), spec.package, spec.entry)
        plugin = create(find_class(module, spec.entry), spec)
        return Ready(metadata_of(plugin).to_dict(), [])
    except LoadError as error:
        return error.failure
