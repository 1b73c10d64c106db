"""The store: read-only copies of plugin folders, named by the hash of their content.

config.json is no part of a copy: it may hold secrets. Its hash is (in `MARKER`), so the digest tells every change, and
beside that lies what may be shown of it, for a plugin that looks for the file. What it says is kept in the database,
secrets encrypted.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import py_compile
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from .errors import StudioError
from .folders import Entry, check_folder, walk

__all__ = [
    "MARKER",
    "Snapshot",
    "remove_tree",
    "snapshot_adopt",
    "snapshot_create",
    "snapshot_draft",
    "snapshot_path",
    "snapshot_show_config",
    "snapshot_take",
    "tree_digest",
]

_CHUNK = 2**20
_CONFIG = "config.json"
#: In a snapshot: the executable bit and the SHA-256 of the config.json that is not there.
MARKER = ".config.json.sha256"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy in the store, and the config.json that was left out of it."""

    digest: str
    config: bytes | None = field(repr=False)


def snapshot_path(plugin_id: str, digest: str) -> Path:
    """Where this content of this plugin lies."""
    return Path(settings.STUDIO_STORE) / plugin_id / digest


def snapshot_create(*, plugin_id: str, folder: Path) -> str:
    """Copy the folder into the store; returns its digest. Raises as `snapshot_take` does."""
    return snapshot_take(plugin_id=plugin_id, folder=folder).digest


def snapshot_take(*, plugin_id: str, folder: Path) -> Snapshot:
    """Copy the folder into the store. The same content is kept once.

    Raises:
        StudioError: the folder cannot be used; `code` says why.
    """
    entries = check_folder(folder)
    home = Path(settings.STUDIO_STORE) / plugin_id
    draft = home / f".draft-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        draft.mkdir(parents=True)
        for entry in entries:
            if entry.relative != MARKER:
                _copy(entry, draft / entry.relative)
        digest = tree_digest(draft)
        config = _take_out_config(draft)
        _publish(draft, home / digest, digest)
    except OSError as error:
        detail = f"The files of {plugin_id} could not be copied into the store: {error.strerror or error}."
        code = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "snapshot_failed"
        raise StudioError(code, detail, hint="Is there room on the disk?") from error
    finally:
        remove_tree(draft)
    return Snapshot(digest, config)


def _take_out_config(draft: Path) -> bytes | None:
    path = draft / _CONFIG
    if not path.is_file():
        return None
    content = path.read_bytes()
    (draft / MARKER).write_text(f"{'x' if path.stat().st_mode & stat.S_IXUSR else '-'} {_hash(path).hex()}")
    path.unlink()
    return content


def snapshot_show_config(plugin_id: str, digest: str, shown: Mapping[str, Any]) -> None:
    """Put what may be shown of config.json where the file was."""
    folder = snapshot_path(plugin_id, digest)
    path, text = folder / _CONFIG, json.dumps(shown, indent=2)
    if not path.is_file() and not (folder / MARKER).is_file():
        return  # the plugin has none
    if (folder / MARKER).is_file() and path.is_file() and path.read_text() == text:
        return
    with _writable(folder):
        if not (folder / MARKER).is_file():  # from before it was left out
            _take_out_config(folder)
        draft = folder / f".{_CONFIG}.{os.getpid()}-{secrets.token_hex(4)}"
        draft.write_text(text)
        draft.chmod(0o444)
        draft.replace(path)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    folder.chmod(0o755)
    try:
        yield
    finally:
        folder.chmod(0o555)


@contextmanager
def snapshot_draft(plugin_id: str) -> Iterator[Path]:
    """A place in the store, not made yet, for files that come from somewhere else."""
    draft = Path(settings.STUDIO_STORE) / plugin_id / f".draft-{os.getpid()}-{secrets.token_hex(4)}"
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield draft
    finally:
        remove_tree(draft)


def snapshot_adopt(*, plugin_id: str, digest: str, draft: Path) -> None:
    """Take what lies in the draft as this version, if it is this version.

    Raises:
        StudioError: `digest_missing`, if it is something else.
    """
    if tree_digest(draft) != digest:
        raise StudioError("digest_missing", "what was fetched is something else than what was packed.")
    _publish(draft, snapshot_path(plugin_id, digest), digest)


def _copy(entry: Entry, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # No `shutil.copy`: a link's content is copied, and a file that grew meanwhile is caught by the next look.
        with entry.path.open("rb") as source:
            executable = os.fstat(source.fileno()).st_mode & stat.S_IXUSR
            with target.open("xb") as copy:
                shutil.copyfileobj(source, copy, _CHUNK)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # it could be read, and not be written
        detail = f"{entry.relative} cannot be read: {error.strerror or error}."
        raise StudioError("file_unreadable", detail, hint="Give the studio's user the right to read it.") from error
    target.chmod(0o755 if executable else 0o644)


def tree_digest(folder: Path) -> str:
    """SHA-256 over the sorted files: relative path, executable bit, content. Compiled files do not count."""
    hashed = hashlib.sha256()
    noted = _noted_config(folder)
    entries = {entry.relative: entry for entry in walk(folder) if entry.relative != MARKER}
    for relative in sorted({*entries, *([_CONFIG] if noted else [])}, key=str.encode):
        facts = noted if noted and relative == _CONFIG else _content(entries[relative])
        hashed.update(relative.encode() + b"\0" + facts)
    return hashed.hexdigest()


def _content(entry: Entry) -> bytes:
    return (b"x" if entry.status.st_mode & stat.S_IXUSR else b"-") + _hash(entry.path)


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _noted_config(folder: Path) -> bytes | None:
    """What a snapshot says of the config.json that was left out of it; None for a folder that is none."""
    try:
        executable, _, digest = (folder / MARKER).read_text().partition(" ")
        return executable.encode() + bytes.fromhex(digest)
    except (OSError, ValueError):
        return None


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
