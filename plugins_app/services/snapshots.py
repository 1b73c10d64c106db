"""The store: read-only copies of plugin folders, named by the hash of their content."""

from __future__ import annotations

import hashlib
import os
import py_compile
import secrets
import shutil
import stat
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from .errors import StudioError
from .folders import Entry, check_folder, walk

__all__ = ["remove_tree", "snapshot_create", "snapshot_path", "tree_digest"]

_CHUNK = 2**20


def snapshot_path(plugin_id: str, digest: str) -> Path:
    """Where this content of this plugin lies."""
    return Path(settings.STUDIO_STORE) / plugin_id / digest


def snapshot_create(*, plugin_id: str, folder: Path) -> str:
    """Copy the folder into the store; returns its digest. The same content is kept once.

    Raises:
        StudioError: the folder cannot be used; `code` says why.
    """
    entries = check_folder(folder)
    home = Path(settings.STUDIO_STORE) / plugin_id
    draft = home / f".draft-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        draft.mkdir(parents=True)
        for entry in entries:
            _copy(entry, draft / entry.relative)
        digest = tree_digest(draft)
        _publish(draft, home / digest, digest)
    except OSError as error:
        detail = f"The files of {plugin_id} could not be copied into the store: {error.strerror or error}."
        raise StudioError("snapshot_failed", detail, hint="Is there room on the disk?") from error
    finally:
        remove_tree(draft)
    return digest


def _copy(entry: Entry, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # No `shutil.copy`: a link's content is copied, and a file that grew meanwhile is caught by the next look.
        with entry.path.open("rb") as source:
            executable = os.fstat(source.fileno()).st_mode & stat.S_IXUSR
            with target.open("xb") as copy:
                shutil.copyfileobj(source, copy, _CHUNK)
    except OSError as error:
        detail = f"{entry.relative} cannot be read: {error.strerror or error}."
        raise StudioError("file_unreadable", detail, hint="Give the studio's user the right to read it.") from error
    target.chmod(0o755 if executable else 0o644)


def tree_digest(folder: Path) -> str:
    """SHA-256 over the sorted files: relative path, executable bit, content. Compiled files do not count."""
    hashed = hashlib.sha256()
    for entry in sorted(walk(folder), key=lambda entry: entry.relative.encode()):
        executable = b"x" if entry.status.st_mode & stat.S_IXUSR else b"-"
        with entry.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        hashed.update(entry.relative.encode() + b"\0" + executable + content)
    return hashed.hexdigest()


def _publish(draft: Path, final: Path, digest: str) -> None:
    if final.is_dir():
        if _verified(final, digest):
            return
        _set_aside(final)
    _compile(draft)
    _make_read_only(draft)
    try:
        draft.rename(final)  # within one directory: allowed although the draft is read-only
    except OSError:
        if not final.is_dir():
            raise  # else another process has just put the same content there
    _verified.cache_clear()


@lru_cache(maxsize=1024)
def _verified(final: Path, digest: str) -> bool:
    """Whether the store still holds what it says; looked at once in a process."""
    return tree_digest(final) == digest


def _set_aside(final: Path) -> None:
    _verified.cache_clear()
    final.rename(final.with_name(f".spoilt-{final.name[:16]}-{secrets.token_hex(4)}"))


def _compile(folder: Path) -> None:
    """Compile ahead: the directory will be read-only. Unchecked, because the content can never change."""
    for entry in walk(folder):
        if entry.relative.endswith(".py"):
            try:
                py_compile.compile(
                    str(entry.path),
                    dfile=entry.relative,
                    doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
            except (py_compile.PyCompileError, ValueError, RecursionError):
                continue  # the import will say it, in the plugin's process


def _make_read_only(folder: Path) -> None:
    for directory, _, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(directory, name)
            path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)
        Path(directory).chmod(0o555)


def remove_tree(folder: Path) -> None:
    """Delete a directory, read-only or not; fine when there is none."""
    if not folder.exists():
        return
    for directory, _, _ in os.walk(folder):
        Path(directory).chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
