"""The system calls a plugin process does without, refused by a seccomp filter.

What Landlock cannot stop: connecting to Unix sockets (Redis and the other plugins are behind some), forking,
signals on older kernels, changing the mode of files that may only be read. Filters are classic BPF over
`struct seccomp_data`, see seccomp(2) and https://docs.kernel.org/userspace-api/seccomp_filter.html.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterable, Mapping

from .spec import SandboxSpec

__all__ = ["build", "install"]

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
_CLONE_THREAD = 0x00010000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

#: machine: (AUDIT_ARCH_*, numbers), from the kernel's asm/unistd.h of each
_MACHINES: Mapping[str, tuple[int, Mapping[str, tuple[int, ...]]]] = {
    "x86_64": (
        0xC000003E,
        {
            "socket": (41,),
            "clone": (56,),
            "clone3": (435,),
            "fork": (57, 58),
            "exec": (59, 322),
            "kill": (62, 234),
            "signal": (129, 200, 297, 424),  # rt_sigqueueinfo, tkill, rt_tgsigqueueinfo, pidfd_send_signal
            "prlimit": (302,),
            # ptrace, process_vm_*, pidfd_getfd, perf_event_open, userfaultfd
            "spying": (101, 310, 311, 438, 298, 323),
            # mount family, chroot, pivot_root, setns, unshare, handles
            "mounting": (165, 166, 155, 161, 308, 272, 304, 428, 429, 430, 432, 442),
            # bpf, kexec, modules, keys, reboot, swap, io_uring
            "system": (321, 246, 320, 175, 313, 176, 250, 248, 249, 169, 167, 168, 425, 426, 427),
            # chmod, chown, xattr families
            "modes": (90, 91, 268, 452, 92, 93, 94, 260, 188, 189, 190, 197, 198, 199, 463, 466),
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "socket": (198,),
            "clone": (220,),
            "clone3": (435,),
            "fork": (),
            "exec": (221, 281),
            "kill": (129, 131),
            "signal": (138, 130, 240, 424),
            "prlimit": (261,),
            "spying": (117, 270, 271, 438, 241, 282),
            "mounting": (40, 39, 41, 51, 268, 97, 265, 428, 429, 430, 432, 442),
            "system": (280, 104, 294, 105, 273, 106, 219, 217, 218, 142, 224, 225, 425, 426, 427),
            "modes": (52, 53, 452, 54, 55, 5, 6, 7, 14, 15, 16, 463, 466),
        },
    ),
}


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


_NEXT = _op(_LOAD, _NUMBER)


def _refuse(numbers: Iterable[int], error: int) -> bytes:
    """Answer with `error`; 0 pretends success without doing anything."""
    return b"".join(_op(_EQUAL, number, 0, 1) + _op(_RETURN, _ERRNO | error) for number in numbers)


def _only_if(number: int, argument: int, values: Iterable[int], error: int) -> bytes:
    """Refuse unless the argument's lower half is one of `values`."""
    wanted = list(values)
    tests = b"".join(_op(_EQUAL, value, len(wanted) - place, 0) for place, value in enumerate(wanted))
    body = _op(_LOAD, _ARGUMENTS + 8 * argument) + tests + _op(_RETURN, _ERRNO | error) + _NEXT
    return _op(_EQUAL, number, 0, len(body) // 8) + body


def _only_threads(number: int) -> bytes:
    """Refuse clone(2) unless it makes a thread of this process."""
    body = _op(_LOAD, _ARGUMENTS) + _op(_ANY_BIT, _CLONE_THREAD, 1, 0) + _op(_RETURN, _ERRNO | errno.EPERM) + _NEXT
    return _op(_EQUAL, number, 0, len(body) // 8) + body


def build(spec: SandboxSpec, machine: str, pid: int) -> bytes | None:
    """The filter's program; None for a machine whose numbers are not known here."""
    if machine not in _MACHINES:
        return None
    architecture, numbers = _MACHINES[machine]
    program = _op(_LOAD, _ARCHITECTURE) + _op(_EQUAL, architecture, 1, 0) + _op(_RETURN, _KILL)
    program += _NEXT + _op(_AT_LEAST, _X32, 0, 1) + _op(_RETURN, _ERRNO | errno.ENOSYS)
    for group in ("spying", "mounting", "system"):
        program += _refuse(numbers[group], errno.EPERM)
    program += _refuse(numbers["modes"], 0)  # many libraries set modes in passing: let them think they did
    for number in numbers["socket"]:
        program += _only_if(number, 0, _families(spec), errno.EACCES)
    for number in numbers["prlimit"]:
        program += _only_if(number, 0, (0, pid), errno.EPERM)
    if not spec.subprocesses:
        program += _refuse((*numbers["fork"], *numbers["exec"], *numbers["signal"]), errno.EPERM)
        program += _refuse(numbers["clone3"], errno.ENOSYS)  # its flags cannot be seen; C libraries then use clone
        program += b"".join(map(_only_threads, numbers["clone"]))
        program += b"".join(_only_if(number, 0, (pid,), errno.EPERM) for number in numbers["kill"])
    return program + _op(_RETURN, _ALLOW)


def _families(spec: SandboxSpec) -> tuple[int, ...]:
    has_network = spec.bind or spec.connect_ports is None or bool(spec.connect_ports)
    # Netlink: getaddrinfo() asks which kinds of address this machine has.
    return (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK) if has_network else ()


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install(spec: SandboxSpec) -> bool:
    """Filter this process and its threads to come, for good. Needs no_new_privs. False when it cannot be done here."""
    program = build(spec, platform.machine(), os.getpid())
    if program is None:
        return False
    buffer = ctypes.create_string_buffer(program, len(program))
    argument = _Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(argument), 0, 0)) == 0
