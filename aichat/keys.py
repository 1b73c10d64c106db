"""Keys that a studio makes for itself on its first start."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

__all__ = ["load_or_create_key"]


def _random_key() -> str:
    return secrets.token_urlsafe(48)


def load_or_create_key(path: Path, make: Callable[[], str] = _random_key) -> str:
    """The key kept in `path` (mode 0600), made when there is none; processes that race for it all get the same."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its key counts
        finally:
            draft.unlink()
    return path.read_text().strip()
