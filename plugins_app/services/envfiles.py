"""Environments on this node's disk: each lies under the hash of its lock; what asked for it links there.

STUDIO_ENVS/locks/<lock>.txt     exactly which packages, with the hashes of their files
STUDIO_ENVS/locked/<lock>/       these packages, installed
STUDIO_ENVS/<key>                a link to it, for each set of requirements that comes to this lock
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import secrets
import sys
import sysconfig
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from .snapshots import remove_tree

__all__ = [
    "Lock",
    "drafts_remove",
    "environment_key",
    "environment_path",
    "lock_path",
    "locked_path",
    "new_draft",
    "publish",
    "publishing",
    "remove_unused",
    "requirements_of",
]

_DRAFT = ".draft-"
_ALONE = "# without what they depend on:\n"


def requirements_of(metadata: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a plugin asks for, in a stable order."""
    keys = ("requirements", "requirements_no_deps")
    return {key: sorted(str(item) for item in metadata.get(key) or []) for key in keys}


def environment_key(metadata: Mapping[str, Any]) -> str | None:
    """Names the environment by what goes into it: requirements, Python and machine. None: nothing is needed."""
    wanted = requirements_of(metadata)
    return _hashed(wanted) if any(wanted.values()) else None


def _hashed(what: Any) -> str:
    python = [sysconfig.get_python_version(), sys.implementation.cache_tag]
    machine = [*python, sysconfig.get_platform(), platform.libc_ver()]
    return hashlib.sha256(json.dumps([what, machine], sort_keys=True).encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class Lock:
    """Which packages exactly, with hashes: those that bring their dependencies, and those that come alone."""

    whole: str = ""
    alone: str = ""

    @property
    def text(self) -> str:
        """Both, as one file."""
        return f"{self.whole}{_ALONE}{self.alone}" if self.alone else self.whole

    @classmethod
    def read(cls, text: str) -> Lock:
        """The opposite of `text`."""
        whole, _, alone = text.partition(_ALONE)
        return cls(whole, alone)

    @property
    def hash(self) -> str:
        """Names the environment: the same lock on the same Python and machine is the same environment."""
        return _hashed(self.text)


def environment_path(key: str) -> Path:
    """Where the environment is, once it is ready."""
    return Path(settings.STUDIO_ENVS) / key


def locked_path(lock: str) -> Path:
    """Where the packages of a lock lie."""
    return Path(settings.STUDIO_ENVS) / "locked" / lock


def lock_path(lock: str) -> Path:
    """Where the lock itself is."""
    return Path(settings.STUDIO_ENVS) / "locks" / f"{lock}.txt"


def new_draft(key: str) -> Path:
    """A new directory to build in, on the same file system."""
    draft = Path(settings.STUDIO_ENVS) / f"{_DRAFT}{key[:12]}-{secrets.token_hex(4)}"
    draft.mkdir(parents=True)
    return draft


def drafts_remove(key: str) -> None:
    """Remove what a worker that was killed has left of this environment."""
    for draft in Path(settings.STUDIO_ENVS).glob(f"{_DRAFT}{key[:12]}-*"):
        remove_tree(draft)


@contextmanager
def publishing() -> Iterator[None]:
    """Nobody else puts environments in place, or removes unused ones, meanwhile."""
    root = Path(settings.STUDIO_ENVS)
    root.mkdir(parents=True, exist_ok=True)
    with open(root / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish(key: str, lock: Lock, draft: Path, packages: Path) -> None:
    """Put the installed packages, their lock and the link in place. `packages` may be none if others did it before."""
    final, kept = locked_path(lock.hash), lock_path(lock.hash)
    for folder in (final.parent, kept.parent):
        folder.mkdir(parents=True, exist_ok=True)
    written = draft / "lock.txt"
    written.write_text(lock.text)
    written.replace(kept)
    if not final.is_dir():
        packages.rename(final)
    link = draft / "link"
    link.symlink_to(os.path.join("locked", lock.hash))
    link.replace(environment_path(key))


def remove_unused(known: Container[str], *, older_than: timedelta) -> None:
    """Remove the environments that no key in `known` names, if they are old enough. Only while `publishing`."""
    root = Path(settings.STUDIO_ENVS)
    # Their names are hashes; before there were locks, the environment itself lay under its key.
    named = [path for path in root.iterdir() if len(path.name) == 40] if root.is_dir() else []
    for path in named:
        if path.name not in known and _is_older(path, older_than):
            path.unlink() if path.is_symlink() else remove_tree(path)
    kept = {os.path.basename(path.readlink()) for path in named if path.is_symlink()}
    locked, locks = locked_path("x").parent, lock_path("x").parent
    for folder in list(locked.iterdir()) if locked.is_dir() else []:
        if folder.name not in kept and _is_older(folder, older_than):
            remove_tree(folder)
    for lock in list(locks.iterdir()) if locks.is_dir() else []:
        if not (locked / lock.stem).is_dir():
            lock.unlink()


def _is_older(path: Path, age: timedelta) -> bool:
    status = path.lstat()
    return time.time() - max(status.st_ctime, status.st_mtime) > age.total_seconds()
