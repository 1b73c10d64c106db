"""Entry of the processes that run plugin code, started as a script by `python -I -S`.

With `-I -S` the interpreter knows only the standard library. What the SDK and the protocol need is imported from the
paths given, and then those paths are taken away again: a plugin sees the standard library, the SDK and its own
packages.

Usage: bootstrap.py (template | inspect | migrate) DESCRIPTOR PATH [PATH ...]
"""

from __future__ import annotations

import socket
import sys

__all__: list[str] = []


def main() -> None:
    """Warm up, then do what the first argument says, talking over the inherited descriptor."""
    role, descriptor, paths = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    standard = list(sys.path)
    sys.path[:0] = paths
    import plugins_app
    import plugins_app.process.template
    import plugins_app.sdk.exports  # a plugin cannot read the files any more when it asks for them
    import plugins_app.sdk.upstream
    from plugins_app.process import inspection
    from plugins_app.sdk import aliases

    aliases.install()
    plugins_app.__path__ = []  # the studio's other modules are not a plugin's business
    sys.path[:] = standard
    sys.argv[1:] = []
    with socket.socket(fileno=descriptor) as control:
        if role == "template":
            plugins_app.process.template.serve(control)
        elif role == "migrate":
            inspection.migrate(control)
        else:
            inspection.serve(control)


if __name__ == "__main__":
    main()
