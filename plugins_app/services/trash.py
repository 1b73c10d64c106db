"""Where plugin folders go that are removed or replaced, and how they come back. Needs no database."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
from pathlib import Path

from django.conf import settings

from .snapshots import remove_tree

__all__ = ["exchange", "move", "trash_name", "trash_path"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def trash_name(folder: Path) -> str:
    """A name in the trash that nothing has yet."""
    return f"{folder.name}-{secrets.token_hex(4)}"


def trash_path(name: str) -> Path:
    """Where it lies in this node's trash."""
    return Path(settings.STUDIO_DATA) / "trash" / Path(name).name


def move(source: Path, target: Path) -> None:
    """Move a folder, also to another file system: it is wholly there or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_over(source, target)


def _copy_over(source: Path, target: Path) -> None:
    draft = target.with_name(f".draft-{target.name[:40]}-{secrets.token_hex(4)}")
    try:
        shutil.copytree(source, draft, symlinks=True)
        draft.rename(target)
    except shutil.Error as error:  # a list of what could not be copied, of which the first says enough
        raise OSError(errno.EIO, str(error.args[0][0][2])) from error
    finally:
        remove_tree(draft)
    remove_tree(source)


def exchange(one: Path, other: Path) -> None:
    """Let two folders change places; nobody ever sees one of the places empty, where the file system can do that."""
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    if libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(number, os.strerror(number), str(other))
    aside = one.with_name(f"{one.name}.aside")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    aside.rename(one)
