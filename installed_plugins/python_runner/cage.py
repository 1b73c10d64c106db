"""The process of one run: first it gives up everything it does not need, for good, then it runs the code.

`python -I -S -B cage.py PARENT_PID`, in the run's own directory. The job comes as JSON on the standard input; the
outcome goes as JSON to descriptor 3. Standard library only: this runs where nothing else can be read.

Kept to: the run's directory to read and write, the standard library and the plugin's packages to read; no sockets, no
other processes, no signals to others; limits of memory, processor time, file sizes and descriptors.
Landlock: https://docs.kernel.org/userspace-api/landlock.html, filters: seccomp(2).
"""

from __future__ import annotations

import ast
import ctypes
import json
import linecache
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig
import traceback
from typing import Any

_OUTCOME = 3
_THREAD_STACK = 1 << 20
_LONGEST_VALUE = 20_000
_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVS, _SECCOMP = 1, 4, 38, 22

# --- Landlock ---
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_READ = (1 << 2) | (1 << 3)
_FILE_ONLY = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14) | (1 << 15)
_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/localtime", "/etc/mime.types")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")

# --- seccomp: instructions, and system calls by machine ---
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x00050000, 0x80000000, 1, 38
_CLONE_THREAD, _X32 = 0x00010000, 0x40000000
_MACHINES: dict[str, dict[str, Any]] = {
    "x86_64": {
        "audit": 0xC000003E,
        "clone": 56,
        "kill": (62, 234),
        # socket, socketpair, connect, bind, listen, accept, fork, vfork, execve, execveat, ptrace, process_vm_*,
        # pidfd_open, pidfd_getfd, pidfd_send_signal, perf_event_open, userfaultfd, rt_sigqueueinfo, tkill,
        # rt_tgsigqueueinfo, prlimit64, mount family, chroot, pivot_root, setns, unshare, handles, bpf, kexec, modules,
        # keys, reboot, swap, io_uring, chown family, memfd_create, personality, setsid, setpgid, acct, syslog
        "refused": (
            *(41, 53, 42, 49, 50, 43, 288, 57, 58, 59, 322, 101, 310, 311, 434, 438, 424, 298, 323, 129, 200, 297, 302),
            *(165, 166, 155, 161, 308, 272, 303, 304, 428, 429, 430, 432, 442, 321, 246, 320, 175, 313, 176),
            *(248, 249, 250, 169, 167, 168, 425, 426, 427, 92, 93, 94, 260, 319, 135, 112, 109, 163, 103),
        ),
    },
    "aarch64": {
        "audit": 0xC00000B7,
        "clone": 220,
        "kill": (129, 131),
        "refused": (
            *(198, 199, 203, 200, 201, 202, 242, 221, 281, 117, 270, 271, 434, 438, 424, 241, 282, 138, 130, 240, 261),
            *(40, 39, 41, 51, 268, 97, 264, 265, 428, 429, 430, 432, 442, 280, 104, 294, 105, 273, 106),
            *(217, 218, 219, 142, 224, 225, 425, 426, 427, 54, 55, 279, 92, 157, 154, 89, 116),
        ),
    },
}
_CLONE3 = 435

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Take the job, put the cage up, run."""
    outcome = os.fdopen(_OUTCOME, "w", encoding="utf-8")
    job = json.loads(sys.stdin.buffer.read())
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    problem = _shut(int(sys.argv[1]), job)
    if problem and not job["unsandboxed"]:
        json.dump({"cage": problem}, outcome)
    else:
        json.dump(_run(job), outcome)
    outcome.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of the code's own may still run


# --- the cage ---


def _shut(parent: int, job: dict[str, Any]) -> str:
    """Give up what is not needed. Returns what could not be given up."""
    _libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    _limit(job)
    os.umask(0o077)
    _libc.prctl(_DUMPABLE, 0, 0, 0, 0)
    if _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return "no_new_privs is not there"
    for step in (lambda: _landlock(job["packages"]), _seccomp):
        if problem := step():
            return problem
    return ""


def _limit(job: dict[str, Any]) -> None:
    import threading

    threading.stack_size(_THREAD_STACK)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: job["memory"],
        resource.RLIMIT_CPU: job["cpu_s"],
        resource.RLIMIT_FSIZE: job["files"],
        resource.RLIMIT_NOFILE: 64,
    }
    for kind, wanted in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a file too large is an OSError


def _landlock(packages: list[str]) -> str:
    abi = _libc.syscall(ctypes.c_long(_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if abi < 1:
        return "the kernel has no Landlock"
    handled = ((1 << 13) - 1) | (1 << 13 if abi >= 2 else 0) | (1 << 14 if abi >= 3 else 0)
    handled |= 1 << 15 if abi >= 5 else 0
    words = struct.pack("=QQQ", handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    words = words[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = _libc.syscall(ctypes.c_long(_CREATE), words, ctypes.c_size_t(len(words)), ctypes.c_uint32(0))
    if ruleset < 0:
        return "Landlock refuses"
    standard = sysconfig.get_paths()
    for path in (standard["stdlib"], standard["platstdlib"], *_SYSTEM, *_DEVICES, *packages):
        _allow(ruleset, path, _READ & handled)
    _allow(ruleset, "/dev/null", (_READ | 1 << 1) & handled)
    _allow(ruleset, os.getcwd(), handled & ~1)
    if _libc.syscall(ctypes.c_long(_RESTRICT), ruleset, ctypes.c_uint32(0)) != 0:
        return "Landlock refuses"
    os.close(ruleset)
    return ""


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on every machine
    rights &= ~0 if os.path.isdir(path) else _FILE_ONLY
    _libc.syscall(ctypes.c_long(_ADD), ruleset, ctypes.c_int(1), struct.pack("=Qi", rights, descriptor), 0)
    os.close(descriptor)


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _seccomp() -> str:
    numbers = _MACHINES.get(platform.machine())
    if numbers is None:
        return f"no filter is known for {platform.machine()}"
    program = _op(_LOAD, 4) + _op(_EQUAL, numbers["audit"], 1, 0) + _op(_RETURN, _KILL)
    program += _op(_LOAD, 0) + _op(_AT_LEAST, _X32, 0, 1) + _op(_RETURN, _ERRNO | _ENOSYS)
    for number in numbers["refused"]:
        program += _op(_EQUAL, number, 0, 1) + _op(_RETURN, _ERRNO | _EPERM)
    program += _op(_EQUAL, _CLONE3, 0, 1) + _op(_RETURN, _ERRNO | _ENOSYS)  # C libraries then use clone
    threads_only = _op(_LOAD, 16) + _op(_ANY_BIT, _CLONE_THREAD, 1, 0) + _op(_RETURN, _ERRNO | _EPERM) + _op(_LOAD, 0)
    program += _op(_EQUAL, numbers["clone"], 0, len(threads_only) // 8) + threads_only
    for number in numbers["kill"]:  # only itself
        own = _op(_LOAD, 16) + _op(_EQUAL, os.getpid(), 1, 0) + _op(_RETURN, _ERRNO | _EPERM) + _op(_LOAD, 0)
        program += _op(_EQUAL, number, 0, len(own) // 8) + own
    program += _op(_RETURN, _ALLOW)

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    buffer = ctypes.create_string_buffer(program, len(program))
    argument = Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    return "" if _libc.prctl(_SECCOMP, 2, ctypes.byref(argument), 0, 0) == 0 else "the kernel has no seccomp filters"


# --- the run ---


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """Run the code; what its last expression is worth, or what it raised."""
    sys.path = [path for path in sys.path if path != os.path.dirname(__file__)] + job["packages"] + [os.getcwd()]
    sys.argv = ["code.py"]
    lines = job["code"].splitlines(keepends=True)
    linecache.cache["code.py"] = (len(job["code"]), None, lines, "code.py")  # what tracebacks show
    scope: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    try:
        body, last = _split(job["code"])
        exec(body, scope)
        if last is None:
            return {}
        exec(last, scope)
        value = scope.pop("_")
        return {} if value is None else {"value": _shown(value)}
    except SystemExit as error:
        return {} if error.code in (None, 0) else {"error": f"SystemExit: {error.code}"}
    except MemoryError:
        return {"memory": True}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer
        return {"error": _last_line(error), "traceback": _traceback(error)}


def _split(code: str) -> tuple[Any, Any]:
    """The code but for an expression at its end, and that expression as an assignment to `_`."""
    tree = ast.parse(code, "code.py")
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        value = tree.body.pop().value  # type: ignore[attr-defined]
        assignment = ast.Assign([ast.Name("_", ast.Store())], value)
        last = ast.Module([ast.copy_location(assignment, value)], [])
    parts = (tree, *([last] if last is not None else []))
    made = [compile(ast.fix_missing_locations(part), "code.py", "exec") for part in parts]
    return made[0], made[1] if last is not None else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}... [{len(text)} characters]"


def _last_line(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()[-1][:2000]


def _traceback(error: BaseException) -> str:
    """Where in the code it was raised; the frames of this file are nobody's business."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    lines = [*traceback.format_list(frames), *traceback.format_exception_only(type(error), error)]
    return "".join(lines)[-8000:]


if __name__ == "__main__":
    main()
