"""Become another user and run a command that does not outlive the process which started it.

`python tests/unprivileged.py PARENT_PID UID GID SIGNAL COMMAND...`: PostgreSQL refuses to run as root. This is a script
of its own, because it is the interpreter that the other user may have no right to read: it runs as root until the exec.
The request for a signal comes after the change of the user, which would clear it.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Drop every right of root's and become the command."""
    parent, uid, gid, signum, *command = sys.argv[1:]
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0) != 0 or os.getppid() != int(parent):
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
