"""How the studio starts a process for plugin code: the command, its environment, what every such process may read."""

from __future__ import annotations

import mimetypes
import sys
import sysconfig
from pathlib import Path

import msgspec
import uvloop

__all__ = ["clean_environment", "command", "readable_everywhere"]

_SYSTEM = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share/zoneinfo",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
)


def command(role: str, descriptor: int) -> list[str]:
    """The command line of a bootstrap process that talks over the inherited `descriptor`."""
    here = Path(__file__).resolve()
    paths = dict.fromkeys(str(Path(each).resolve()) for each in (here.parents[2], *_package_paths()))
    # -X frozen_modules and friends stay at their defaults; -I -S: no user site, no PYTHON* variables, no site-packages.
    return [sys.executable, "-I", "-S", str(here.with_name("bootstrap.py")), role, str(descriptor), *paths]


def _package_paths() -> list[Path]:
    return [Path(str(module.__file__)).parents[1] for module in (msgspec, uvloop)]


def clean_environment() -> dict[str, str]:
    """The environment of a bootstrap process: nothing of the studio's own."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def readable_everywhere() -> list[str]:
    """What every plugin process may read: the standard library and what the system's libraries need."""
    paths = sysconfig.get_paths()
    own = [paths["stdlib"], paths["platstdlib"], str(Path(sys.base_prefix, "lib"))]
    # `mimetypes` reads those of its files that it sees, and fails where it may not.
    return [*dict.fromkeys(own), *_SYSTEM, *map(str, mimetypes.knownfiles)]
