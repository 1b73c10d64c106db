"""What the kernel holds a plugin process to: resource limits, no capabilities or new privileges, Landlock, seccomp.

Landlock: https://docs.kernel.org/userspace-api/landlock.html (ABI 1 files, 2 refer, 3 truncate, 4 TCP, 6 signals).
Everything is applied in the process itself, before the plugin's code is imported, and cannot be taken back.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import stat
import struct
from pathlib import Path
from typing import Any

from . import seccomp
from .spec import SandboxSpec

__all__ = ["THREAD_STACK", "apply", "landlock_abi"]

#: Bytes of stack per thread: the kernel counts the whole of it as data, the usual 8 MiB would eat the limit.
THREAD_STACK = 2 * 1024 * 1024
_OWN_THREADS = 8

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH, _RULE_PORT = 1, 2
_PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 38, 4
_CAPSET = {"x86_64": 126, "aarch64": 91}.get(platform.machine(), 126)
_CAPABILITY_VERSION_3 = 0x20080522

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL_ABI1 = (1 << 13) - 1
_READ = _READ_FILE | _READ_DIR
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1

_libc = ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: Any) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def landlock_abi() -> int:
    """The kernel's Landlock version; 0 when it has none."""
    try:
        return _syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def apply(spec: SandboxSpec, threads: int = 0) -> dict[str, Any]:
    """Restrict this process for good. The stacks of so many `threads` come on top of its memory limit.

    Returns what holds: ``{"landlock": abi, "no_new_privs": bool, "no_capabilities": bool, "seccomp": bool}``.
    """
    _limit_resources(spec, threads)
    os.umask(0o077)
    no_new_privs = _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # siblings of the same user can neither trace it nor read its memory
    abi = landlock_abi()
    if abi:
        _restrict(spec, abi)
    no_capabilities = _drop_capabilities()
    filtered = seccomp.install(spec)  # last: the steps above need some of the calls it refuses
    return {
        "landlock": abi,
        "no_new_privs": no_new_privs,
        "no_capabilities": no_capabilities,
        "seccomp": filtered,
    }


def _drop_capabilities() -> bool:
    """Root's uid without root's powers, see capset(2)."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    try:
        _syscall(_CAPSET, header, bytes(24))
    except OSError:
        return False
    return True


def _limit_resources(spec: SandboxSpec, threads: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_NOFILE, spec.open_files)
    if spec.memory_bytes is not None:
        # Private data only, not address space: maps of weights and thread stacks are not what a leak looks like.
        _lower(resource.RLIMIT_DATA, spec.memory_bytes + (threads + _OWN_THREADS) * THREAD_STACK)


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (ceiling, ceiling))


def _restrict(spec: SandboxSpec, abi: int) -> None:
    handled = _ALL_ABI1 | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0) | (_IOCTL_DEV if abi >= 5 else 0)
    network = _network_rights(spec) if abi >= 4 else 0
    scoped = (_SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS) if abi >= 6 else 0
    attributes = struct.pack("=QQQ", handled, network, scoped)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = _syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    try:
        execute = _EXECUTE if spec.subprocesses else 0
        for path in spec.readable:
            _allow_path(ruleset, path, (_READ | execute) & handled)
        for path in spec.writable:
            _allow_path(ruleset, path, (handled & ~_EXECUTE) | (execute & handled))
        if network & _CONNECT_TCP:
            for port in spec.connect_ports or []:
                rule = struct.pack("=QQ", _CONNECT_TCP, port)
                _syscall(_ADD_RULE, ruleset, ctypes.c_int(_RULE_PORT), rule, ctypes.c_uint32(0))
        _syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _network_rights(spec: SandboxSpec) -> int:
    return (0 if spec.bind else _BIND_TCP) | (0 if spec.connect_ports is None else _CONNECT_TCP)


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError):  # not on every machine: /lib64, /etc/pki
        descriptor = os.open(Path(path), os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= _FILE_RIGHTS
            rule = struct.pack("=Qi", rights, descriptor)
            _syscall(_ADD_RULE, ruleset, ctypes.c_int(_RULE_PATH), rule, ctypes.c_uint32(0))
        finally:
            os.close(descriptor)
