"""From the permissions that were granted to what the kernel lets through."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from plugins_app.process import launch
from plugins_app.process.spec import SandboxSpec
from plugins_app.sdk.references import studio_owns

__all__ = ["granted_environ", "sandbox_for"]

#: Where programs are, and what most of them read.
_PROGRAMS = (
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local",
    "/usr/libexec",
    "/usr/share",
    "/opt",
    "/etc/alternatives",
    "/etc/group",
    "/etc/passwd",
)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def sandbox_for(granted: Iterable[str], *, readable: list[Path], writable: list[Path], memory_mb: int) -> SandboxSpec:
    """The sandbox of one process. Network is held to the granted ports; names of hosts are not checked yet."""
    granted = list(granted)
    network = _values(granted, "network")
    subprocesses = "subprocess" in granted or bool(_values(granted, "subprocess"))
    programs = [os.path.realpath(sys.executable), *_PROGRAMS] if subprocesses else []
    hosts = {entry.rpartition(":")[0] for entry in network}
    ports = {entry.rpartition(":")[2] for entry in network}
    return SandboxSpec(
        readable=[*launch.readable_everywhere(), *programs, *map(str, readable), *_files(granted, "ro")],
        writable=[*map(str, writable), *_files(granted, "rw"), *(["/dev/null"] if subprocesses else [])],
        connect_ports=None if "*" in ports else sorted(int(port) for port in ports if port.isdigit()),
        bind=not hosts.isdisjoint(_LOOPBACK),
        subprocesses=subprocesses,
        memory_bytes=memory_mb * 1024 * 1024,
    )


def granted_environ(granted: Iterable[str]) -> dict[str, str]:
    """The variables of the host's environment that the plugin may see: never the studio's own."""
    names = [name for name in _values(granted, "env") if not studio_owns(name)]
    return {name: os.environ[name] for name in names if name in os.environ}


def _values(granted: Iterable[str], kind: str) -> list[str]:
    return [value for each, _, value in (item.partition(":") for item in granted) if each == kind and value]


def _files(granted: Iterable[str], mode: str) -> list[str]:
    """`files:/path` and `files:/path:ro` are for reading, `files:/path:rw` for writing too."""
    found = []
    for value in _values(granted, "files"):
        path, _, suffix = value.rpartition(":") if value.endswith((":ro", ":rw")) else (value, "", "ro")
        if suffix == mode or mode == "ro":
            found.append(path)
    return found
