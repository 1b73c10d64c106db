"""Run a command that does not outlive the process which started it.

`python aichat/tethered.py PARENT_PID COMMAND...` asks the kernel for a SIGTERM when its parent dies, then becomes the
command (the request survives an exec). It is a program of its own, because running Python between fork and exec in a
process that has threads can deadlock. It imports next to nothing, because every process of the studio starts with it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the command."""
    parent, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):  # it died before the request was made
        sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
