"""What the host tells a new plugin process, and what the process answers while it starts.

Both travel over a channel of the two alone, so that a configuration never passes through the template process that
all plugins are forked from.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = [
    "Failure",
    "Handover",
    "Migrated",
    "Migration",
    "Ready",
    "Report",
    "SandboxSpec",
    "Spec",
    "receive",
    "send",
]


class SandboxSpec(msgspec.Struct, frozen=True):
    """What the process may touch. `connect_ports` None means any port; `bind` allows listening on TCP."""

    readable: list[str] = []
    writable: list[str] = []
    connect_ports: list[int] | None = []
    bind: bool = False
    subprocesses: bool = False
    memory_bytes: int | None = None
    open_files: int = 1024


class Spec(msgspec.Struct, frozen=True):
    """One plugin generation: which code, with what, within which limits (seconds).

    `secrets` are the texts in `config` that the process must never tell.
    """

    plugin_id: str
    package: str
    code_dir: str
    work_dir: str
    generation: int = 0
    digest: str = ""
    env_dir: str | None = None
    entry: str | None = None
    manifest: dict[str, Any] | None = None
    config: dict[str, Any] = {}
    secrets: list[str] = []
    environ: dict[str, str] = {}
    sandbox: SandboxSpec = SandboxSpec()
    init_timeout: float = 30.0
    call_timeout: float = 60.0
    concurrency: int = 64


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """`initialize` went well; from now on the process accepts calls."""

    metadata: dict[str, Any]
    methods: list[str]
    sandbox: dict[str, Any] = {}
    wants_state: bool = False


class Handover(msgspec.Struct, frozen=True):
    """Host to process, after a `Ready` that wants state: what the old generation left; None when there is none.

    The process answers with another report.
    """

    values: dict[str, Any] | None = None
    version: str = ""
    generation: int = 0


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """The plugin did not get ready, and which of the ways this was."""

    code: Literal[
        "import_failed",
        "no_class",
        "several_classes",
        "metadata_failed",
        "config_invalid",
        "initialize_raised",
        "initialize_returned_false",
        "initialize_timeout",
        "migrate_failed",
        "migration_failed",
    ]
    message: str
    traceback: str = ""
    hint: str = ""


Report = Ready | Failure


class Migration(msgspec.Struct, frozen=True):
    """Carry `spec.config` through these functions of this module of the plugin, in turn."""

    spec: Spec
    module: str
    steps: list[str]


class Migrated(msgspec.Struct, frozen=True, tag="migrated"):
    """The configuration afterwards; `missing` are the functions that the module does not have."""

    config: dict[str, Any]
    missing: list[str]


_HEADER = 4


def send(descriptor: Any, message: Spec | Report | Migration | Migrated) -> None:
    """Write one message to a blocking socket."""
    body = msgspec.msgpack.encode(message)
    descriptor.sendall(len(body).to_bytes(_HEADER, "big") + body)


def receive(descriptor: Any, kind: Any) -> Any:
    """Read one message of `kind` from a blocking socket. Raises EOFError when the peer is gone."""
    size = int.from_bytes(_exactly(descriptor, _HEADER), "big")
    return msgspec.msgpack.decode(_exactly(descriptor, size), type=kind)


def _exactly(descriptor: Any, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = descriptor.recv(size - len(data))
        if not part:
            raise EOFError("the other side closed the channel")
        data += part
    return bytes(data)
