"""Run a program and everything it starts for exactly as long as the process that wants it lives.

`python keeper.py PARENT_PID PROGRAM ARGUMENT...` runs the program in this process group. When the parent dies, however
it dies, or when the program has ended, nothing of the group is left. It imports next to nothing: one runs for each.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_NOT_FOUND = 127


def main() -> None:
    """Start the program, and wait for it."""
    parent, *command = sys.argv[1:]
    signal.signal(signal.SIGUSR1, lambda *_: _end_group())
    # What ends a program politely goes to the whole group: the program decides. A handler, because a signal that
    # is ignored would be ignored by the program too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != int(parent):  # it died before the request was made
        sys.exit(1)
    try:
        child = os.posix_spawnp(command[0], command, os.environ)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(_NOT_FOUND)
    for descriptor in (0, 1):  # they are the program's alone: its end must be seen at the other side
        os.close(descriptor)
    _wait_for(child)
    _end_group()


def _wait_for(child: int) -> None:
    while True:
        pid, status = os.wait()  # also what the program has left behind
        if pid == child:
            sys.stderr.write(f"the program ended with status {os.waitstatus_to_exitcode(status)}\n")
            sys.stderr.flush()
            return


def _end_group() -> None:
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
