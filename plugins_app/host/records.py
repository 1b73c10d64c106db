"""The files by which a host finds plugin processes again that an earlier host started.

Beside each socket lies a record: which process, which generation. A pid alone may have been given to another process
since, so the record holds its start time too (field 22 of /proc/PID/stat, see proc(5)), and the boot which that time
counts from: a machine that boots the same way each time gives the same pids at the same moments.
"""

from __future__ import annotations

import contextlib
import os
import time
from functools import cache
from pathlib import Path

import msgspec

__all__ = ["Record", "boot_id", "read_records", "remove", "set_current", "start_time", "write_record"]

_LINK = "current.sock"


class Record(msgspec.Struct, frozen=True):
    """One running plugin process."""

    plugin_id: str
    generation: int
    digest: str
    pid: int
    start_time: int
    socket: str
    work_dir: str
    drain_timeout: float
    memory_bytes: int | None = None
    boot: str = ""
    current: bool = False

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.boot == boot_id() and start_time(self.pid) == self.start_time

    @property
    def age(self) -> float:
        """For how many seconds the process has been running."""
        ticks = time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")
        return max(0.0, (ticks - self.start_time) / os.sysconf("SC_CLK_TCK"))


@cache
def boot_id() -> str:
    """Which boot of the machine this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None when there is none (or only a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def write_record(directory: Path, record: Record) -> None:
    """Write the record beside its socket, atomically."""
    path = directory / f"{record.socket}.json"
    draft = path.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.encode(record))
    draft.replace(path)


def read_records(plugins_dir: Path) -> list[Record]:
    """The records of every plugin; what cannot be read is removed."""
    records = []
    for path in sorted(plugins_dir.glob("*/*.sock.json")):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record)
        except (OSError, msgspec.DecodeError):
            path.unlink(missing_ok=True)
            continue
        link = path.parent / _LINK
        is_current = link.is_symlink() and os.readlink(link) == record.socket
        records.append(msgspec.structs.replace(record, current=is_current))
    return records


def set_current(directory: Path, socket_name: str | None) -> None:
    """Point `current.sock` at a socket in one atomic step; None takes it away."""
    link = directory / _LINK
    if socket_name is None:
        link.unlink(missing_ok=True)
        return
    draft = directory / f".{_LINK}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(socket_name)
    draft.replace(link)


def remove(directory: Path, socket_name: str) -> None:
    """Remove a socket and its record."""
    for name in (socket_name, f"{socket_name}.json"):
        with contextlib.suppress(OSError):
            (directory / name).unlink()
