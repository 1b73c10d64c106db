"""Looking at a plugin's folder without reading it: what is in it, whether it can be used, whether it changed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import StudioError

__all__ = ["FILE_LIMIT", "FOLDER_LIMIT", "Entry", "check_folder", "fingerprint", "is_ignored", "walk"]

FILE_LIMIT = 50 * 2**20
FOLDER_LIMIT = 100 * 2**20
IGNORED = frozenset({"__pycache__", ".git", "node_modules", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
#: What editors leave beside a file while it is edited or saved: vim, emacs, JetBrains, kate, gedit, Finder.
_TEMPORARY = re.compile(
    r".*(\.pyc|\.swp|~|___jb_tmp___|___jb_old___)|\..*\.(sw[a-px]|kate-swp)|\.#.*|#.*#|4913|\.goutputstream-.*|\.DS_Store",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a folder; `relative` is its name in there, with slashes."""

    relative: str
    path: Path
    status: os.stat_result

    @property
    def is_symlink(self) -> bool:
        """Whether the entry itself is a symbolic link."""
        return stat.S_ISLNK(self.status.st_mode)


def is_ignored(name: str) -> bool:
    """Whether a file or directory called so is never part of a plugin."""
    return name in IGNORED or _TEMPORARY.fullmatch(name) is not None


def walk(folder: Path) -> Iterator[Entry]:
    """Every file in the folder, in a stable order; directories that are never part of a plugin are left out."""
    yield from _walk(folder, "")


def _walk(folder: Path, prefix: str) -> Iterator[Entry]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(prefix.rstrip("/") or folder.name, error) from error
    for entry in entries:
        if is_ignored(entry.name):
            continue
        relative = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{relative}/")
        else:
            try:
                yield Entry(relative, Path(entry.path), entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue  # removed while we looked


def fingerprint(folder: Path) -> str:
    """Changes when anything in the folder does; costs one `lstat` per file. An unreadable folder has one too."""
    hashed = hashlib.sha256()
    try:
        for entry in walk(folder):
            s = entry.status
            facts = (s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)
            hashed.update(f"{entry.relative}\0{facts}\n".encode(errors="surrogateescape"))
    except StudioError as error:
        hashed.update(error.detail.encode())
    return hashed.hexdigest()


def check_folder(folder: Path) -> list[Entry]:
    """The folder's files, all of them usable: sizes and kinds are looked at before anything is read.

    Raises:
        StudioError: naming the first file that stands in the way.
    """
    root, entries, total = folder.resolve(), [], 0
    for entry in walk(folder):
        size = _checked_size(entry, root)
        total += size
        if size > FILE_LIMIT:
            raise _too_large("file_too_large", entry.relative, size, FILE_LIMIT)
        if total > FOLDER_LIMIT:
            raise _too_large("folder_too_large", folder.name, total, FOLDER_LIMIT)
        entries.append(entry)
    return entries


def _checked_size(entry: Entry, root: Path) -> int:
    status = entry.status
    if entry.is_symlink:
        target = _target(entry, root)
        status = target.stat()
    if not stat.S_ISREG(status.st_mode):
        detail = f"{entry.relative} is neither a file nor a folder nor a link to a file."
        raise StudioError("file_special", detail, hint="Remove it from the plugin's folder.")
    return status.st_size


def _target(entry: Entry, root: Path) -> Path:
    try:
        target = entry.path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        detail = f"The symbolic link {entry.relative} points to nothing: {os.readlink(entry.path)}."
        raise StudioError("symlink_dangling", detail, hint="Remove the link, or make its target.") from error
    if not target.is_relative_to(root):
        detail = f"The symbolic link {entry.relative} leads out of the plugin's folder."
        raise StudioError("symlink_escapes", detail, hint="Copy the file into the folder instead.")
    return target


def _too_large(code: str, name: str, size: int, limit: int) -> StudioError:
    detail = f"{name} has {size / 2**20:.0f} MB; at most {limit / 2**20:.0f} MB are allowed."
    return StudioError(code, detail, hint="Move large data out of the plugin's folder.")


def _unreadable(name: str, error: OSError) -> StudioError:
    detail = f"{name} cannot be read: {error.strerror or error}."
    return StudioError("file_unreadable", detail, hint="Give the studio's user the right to read it.")
