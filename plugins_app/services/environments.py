"""Python environments of plugins: asked for, built by `uv` in a worker, with progress, and cancelled at once.

The rows are this node's; what lies on the disk is `envfiles`' business. A lock that was good once is used again, on
every node: the same requirements stay the same packages until nobody has them any more.
"""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from plugins_app.models import PluginEnvironment

from . import envfiles
from .connections import DATABASE_AWAY, patiently, release_connection
from .envfiles import Lock, environment_key, environment_path, requirements_of
from .snapshots import remove_tree
from .uv import Steps, UvError, run_uv, uv_cache

__all__ = [
    "environment_cancel",
    "environment_install",
    "environment_key",
    "environment_path",
    "environment_problem",
    "environment_request",
    "environment_row",
    "environments_resume",
]

Status = PluginEnvironment.Status
_BEAT = 5.0
_LEASE = timedelta(seconds=60)  # many beats: a row untouched for so long belongs to a worker that died
_OUTCOME_PATIENCE = 600.0


def _rows(key: str) -> QuerySet[PluginEnvironment]:
    return PluginEnvironment.objects.filter(key=key, node=settings.STUDIO_NODE)


def environment_row(key: str | None) -> PluginEnvironment | None:
    """How this node's environment is, if it was ever asked for."""
    return _rows(key).first() if key else None


def environment_request(*, metadata: Mapping[str, Any]) -> str | None:
    """Ask for the environment this plugin needs; returns its key when it has to be built first. In a transaction."""
    key = environment_key(metadata)
    if key is None:
        return None
    defaults = {"requirements": requirements_of(metadata)}
    row, _ = PluginEnvironment.objects.get_or_create(key=key, node=settings.STUDIO_NODE, defaults=defaults)
    if row.status == Status.READY and environment_path(key).is_dir():
        return None
    if row.status in (Status.READY, Status.FAILED, Status.CANCELLED):
        _rows(key).update(status=Status.PENDING, error="", message="", fraction=None, cancel_requested=False)
    elif row.cancel_requested:
        _rows(key).update(cancel_requested=False)  # it is wanted again
    return key


def environment_cancel(*, key: str) -> None:
    """Stop building it: at once while it waits, through its worker within a second while it is built."""
    _rows(key).filter(status=Status.PENDING).update(status=Status.CANCELLED, message="cancelled", fraction=None)
    _rows(key).filter(status=Status.INSTALLING).update(cancel_requested=True)


def environment_problem(plugin_id: str, row: PluginEnvironment | None) -> dict[str, Any] | None:
    """Why a plugin cannot have its packages, once that is known."""
    if row is None or row.status not in (Status.FAILED, Status.CANCELLED):
        return None
    problem: dict[str, Any] = {"recoverable": True, "at": row.updated_at.isoformat()}
    if row.status == Status.CANCELLED:
        return problem | {
            "code": "install_cancelled",
            "detail": f"The installation of the packages of {plugin_id} was cancelled.",
            "hint": "Load it again to begin anew.",
        }
    return problem | {
        "code": "environment_install_failed",
        "detail": f"The Python packages of {plugin_id} cannot be installed: {row.error}",
        "hint": "Correct the requirements, or the network and package index, and load it again.",
    }


class _Stopped(Exception):
    """The environment is not to be built any more, or somebody else has taken it over."""


def environment_install(*, key: str) -> bool:
    """Build one environment; harmless when another worker does or has done it. True when it is ready."""
    if not _claim(key):
        return _rows(key).filter(status=Status.READY).exists()
    envfiles.drafts_remove(key)
    try:
        lock = _build(key)
    except _Stopped:
        _stopped(key)
        return False
    except (OSError, UvError) as error:
        _finish(key, Status.FAILED, error=_words(error))
        return False
    _finish(key, Status.READY, size=_size(environment_path(key)), lock=lock)
    return True


def _claim(key: str) -> bool:
    """Take the row if nobody has it, or if the worker that had it has not touched it for many beats."""
    rows, now = _rows(key), timezone.now()
    free = rows.filter(status=Status.PENDING) | rows.filter(status=Status.INSTALLING, updated_at__lt=now - _LEASE)
    taken = free.update(status=Status.INSTALLING, message="starting", fraction=0.0, error="", updated_at=now)
    return bool(taken)


def _build(key: str) -> str:
    """Choose, install and put in place; returns the lock's text. Nothing is left of it when that fails."""
    if environment_path(key).is_dir():
        return _known_lock(key)
    draft = envfiles.new_draft(key)
    try:
        lock = _built_from_known(key, draft) or _built_anew(key, draft)
        with envfiles.publishing():
            envfiles.publish(key, lock, draft, draft / "packages")
    finally:
        remove_tree(draft)
    return lock.text


def _known_lock(key: str) -> str:
    """A lock that these requirements were installed by before, here or on another node."""
    known = PluginEnvironment.objects.filter(key=key).exclude(lock="").order_by("-updated_at")
    return known.values_list("lock", flat=True).first() or ""


def _built_from_known(key: str, draft: Path) -> Lock | None:
    """None when there is no lock yet, or when its files are not to be had any more."""
    lock = Lock.read(_known_lock(key))
    if not lock.text:
        return None
    try:
        _install_all(key, draft, lock)
    except UvError as error:
        if error.is_network:
            raise
        return None
    return lock


def _built_anew(key: str, draft: Path) -> Lock:
    wanted = _rows(key).values_list("requirements", flat=True).get()
    lock = Lock(
        _compiled(key, draft, wanted.get("requirements") or [], []),
        _compiled(key, draft, wanted.get("requirements_no_deps") or [], ["--no-deps"]),
    )
    _install_all(key, draft, lock)
    return lock


def _compiled(key: str, draft: Path, requirements: list[str], options: list[str]) -> str:
    """Exactly which packages, from the index; from what is in the cache when the index cannot be reached."""
    if not requirements:
        return ""
    # A file of its own each time: uv would take what an older one says into account.
    source, lock = draft / f"wanted{len(options)}.in", draft / f"lock{len(options)}.txt"
    source.write_text("\n".join(requirements) + "\n")
    watch = _Watch(key, 0.05, 0.2)
    watch.say(0.05, "choosing versions")
    plain = ("--generate-hashes", "--no-header", "--no-annotate", *options, "--python", sys.executable)
    command = ("pip", "compile", *plain, str(source), "-o", str(lock))
    try:
        run_uv(*command, watch=watch)
    except UvError as error:
        if not error.is_network:
            raise
        watch.say(0.1, "the package index cannot be reached; looking among what was downloaded before")
        _offline_or(error, *command, watch=watch)
    return lock.read_text()


def _offline_or(reason: UvError, *command: str, watch: _Watch) -> None:
    """Do without the network, or give the reason why there is none."""
    try:
        run_uv(*command, "--offline", watch=watch)
    except UvError:
        raise reason from None


def _install_all(key: str, draft: Path, lock: Lock) -> None:
    packages = draft / "packages"
    remove_tree(packages)
    packages.mkdir()
    if envfiles.locked_path(lock.hash).is_dir():
        return  # others asked for the same by other words
    for text, options, begin, end in ((lock.whole, [], 0.2, 0.8), (lock.alone, ["--no-deps"], 0.8, 0.95)):
        if text:
            _install(key, draft, text, options, _Watch(key, begin, end))


def _install(key: str, draft: Path, lock: str, options: list[str], watch: _Watch) -> None:
    """What was downloaded before is taken without asking anybody: the hashes say that it is the same."""
    source, packages = draft / "locked.txt", draft / "packages"
    source.write_text(lock)
    # Compiled ahead, because a plugin's process may not write there.
    plain = ("--require-hashes", "--compile-bytecode", "--link-mode", _link_mode(packages), *options)
    command = ("pip", "install", *plain, "--python", sys.executable, "--target", str(packages), "-r", str(source))
    try:
        run_uv(*command, "--offline", watch=watch)
    except UvError:
        watch.restart()
        # What broke off half-way, for want of room say, counts as installed for uv: it would be left as it is.
        run_uv(*command, "--reinstall", watch=watch)


def _link_mode(target: Path) -> str:
    """Hard links save room, but only within one file system."""
    try:
        return "hardlink" if uv_cache().stat().st_dev == target.stat().st_dev else "copy"
    except OSError:
        return "copy"


class _Watch:
    """Listens to uv: keeps the row warm, writes the progress, and stops it when somebody cancels."""

    def __init__(self, key: str, begin: float, end: float) -> None:
        self._key, self._begin, self._end = key, begin, end
        self._touched = time.monotonic()
        self.restart()

    def restart(self) -> None:
        self._steps = Steps(self._begin, self._end)

    def __call__(self, line: str | None) -> None:
        said = self._steps.read(line) if line else None
        try:
            if said:
                self.say(*said)
            if line is None:
                self._look()
        except DATABASE_AWAY:
            return  # the packages are installed all the same; the outcome is written when it is back

    def say(self, fraction: float, message: str) -> None:
        self._touched = time.monotonic()
        self._mine().update(fraction=fraction, message=message[:500], updated_at=timezone.now())

    def _look(self) -> None:
        row = self._mine().values_list("cancel_requested", flat=True).first()
        if row is not False:
            raise _Stopped
        if time.monotonic() - self._touched > _BEAT:
            self._touched = time.monotonic()
            self._mine().update(updated_at=timezone.now())
        release_connection()

    def _mine(self) -> QuerySet[PluginEnvironment]:
        return _rows(self._key).filter(status=Status.INSTALLING)


def _stopped(key: str) -> None:
    """Cancelled; or wanted again in the same moment, then beat has it built."""

    def write() -> None:
        mine = _rows(key).filter(status=Status.INSTALLING)
        facts = {"message": "cancelled", "fraction": None, "updated_at": timezone.now()}
        if not mine.filter(cancel_requested=True).update(status=Status.CANCELLED, cancel_requested=False, **facts):
            mine.update(status=Status.PENDING, message="", fraction=None)

    patiently(write, seconds=_OUTCOME_PATIENCE)


def _finish(key: str, status: str, *, error: str = "", size: int | None = None, lock: str | None = None) -> None:
    ready = status == Status.READY
    facts: dict[str, Any] = {"status": status, "error": error, "size_bytes": size, "cancel_requested": False}
    facts |= {"fraction": 1.0 if ready else None, "message": "ready" if ready else "failed"}
    facts |= {"lock": lock} if lock else {}
    patiently(lambda: _rows(key).update(**facts, updated_at=timezone.now()), seconds=_OUTCOME_PATIENCE)


def _words(error: OSError | UvError) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "There is no room on the disk."
    return str(error)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def environments_resume() -> list[str]:
    """The environments that somebody waits for and nobody builds: a message was lost, or a worker died."""
    here = PluginEnvironment.objects.filter(node=settings.STUDIO_NODE)
    abandoned = here.filter(status=Status.INSTALLING, updated_at__lt=timezone.now() - _LEASE)
    return list((abandoned | here.filter(status=Status.PENDING)).values_list("key", flat=True))
