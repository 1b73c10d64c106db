"""Forks plugin hosts that are started at once, because Django is imported already, and that die like any other.

`python -m tests.lab.hosts`: each line on stdin starts one; its pid is answered on stdout. Nothing here ever touches the
database before the fork, so that no connection and no thread is shared.
"""

import os
import signal
import sys


def main() -> None:
    """Start a host per line until stdin ends."""
    import django

    django.setup()
    from plugins_app.management.commands.pluginhost import Command

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects them
    print("ready", flush=True)
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(0)
            os.dup2(2, 1)
            Command().handle()
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
