"""Unix socket paths of any length.

A `sockaddr_un` holds 107 bytes of path. A longer one is reached through a descriptor of its directory, which Linux
offers as a path too (`/proc/self/fd/N`, see proc(5)).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["socket_address"]

_LIMIT = 107


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address to bind or connect to, valid inside the block. Raises OSError when the directory is missing."""
    if len(os.fsencode(path)) <= _LIMIT:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
