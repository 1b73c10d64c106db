"""A new key for all stored secrets, while the studio runs.

The new key is put in front first: every process reads the key file each time, so from then on it encrypts with the new
key and can still decrypt everything. Then each value is encrypted anew. The old keys go last, after a while in which
changes that had begun before are committed. Wherever this is interrupted, everything can be read, and the next run
goes on from there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Cast

from plugins_app.models import ConfigRevision, NodeStatus, Plugin, PluginRelease, PluginVersion, Webhook

from . import secrets
from .errors import StudioError

__all__ = ["FIELDS", "Census", "key_name", "keys_are_given", "secrets_census", "secrets_rotate"]

#: Everywhere that a secret is stored.
FIELDS: tuple[tuple[type[models.Model], str], ...] = (
    (Plugin, "config"),
    (PluginVersion, "default_config"),
    (PluginRelease, "config"),
    (PluginRelease, "previous_config"),
    (ConfigRevision, "config"),
    (Webhook, "secret"),
)


@dataclass(slots=True)
class Census:
    """How many values each key has encrypted, by its place in `secrets.keys()`, and those that no key decrypts."""

    by_key: Counter[int] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    @property
    def outdated(self) -> int:
        """How many values are encrypted by another key than the first."""
        return sum(count for number, count in self.by_key.items() if number)


def keys_are_given() -> bool:
    """Whether `STUDIO_SECRET_KEYS` says which keys there are, and not the file."""
    return bool(settings.ENVIRONMENT.secret_keys)


def key_name(number: int) -> str:
    """How a key is called where it may be read: never by itself."""
    digest = hashlib.sha256(secrets.keys()[number].encode()).hexdigest()
    return f"key {number + 1} ({digest[:8]})"


def secrets_census() -> Census:
    """Look at every stored secret."""
    census = Census()
    for model, name in FIELDS:
        for row in _rows(model, name).iterator():
            for value in secrets.sealed_in(getattr(row, name)):
                number = secrets.key_of(value)
                if number is None:
                    census.unreadable.append(f"{model.__name__} {row}: {name}")
                else:
                    census.by_key[number] += 1
    return census


def secrets_rotate(*, wait: Callable[[], None]) -> int:
    """Encrypt everything with a new key, or with the first one given; returns how many values were encrypted anew.

    `wait` lets the changes end that had begun before the new key was there.

    Raises:
        StudioError: the keys are in a file that other nodes have too.
    """
    with _only_one():
        if not keys_are_given():
            _put_new_key_in_front()
        count = _renew_all()
        wait()
        while late := _renew_all():
            count += late
        if not keys_are_given():
            _write_keys(secrets.keys()[:1])
    return count


def _put_new_key_in_front() -> None:
    others = list(NodeStatus.objects.exclude(node=settings.STUDIO_NODE).values_list("node", flat=True))
    if others:
        detail = f"The nodes {', '.join(others)} have key files of their own, which cannot be changed from here."
        raise StudioError("invalid", detail, hint="Give all nodes the same STUDIO_SECRET_KEYS, the new key first.")
    known = secrets.keys()
    if len(known) == 1:  # else an earlier rotation was interrupted: it is ended first
        _write_keys((secrets.new_key(), *known))


def _renew_all() -> int:
    return sum(_renew(model, name, pk) for model, name in FIELDS for pk in _ids(model, name))


def _rows(model: type[models.Model], name: str) -> models.QuerySet[Any]:
    rows: models.QuerySet[Any] = model._default_manager.annotate(as_text=Cast(name, models.TextField()))
    return rows.filter(as_text__contains=f'"{secrets.MARK}"')


def _ids(model: type[models.Model], name: str) -> list[Any]:
    return list(_rows(model, name).values_list("pk", flat=True))


@transaction.atomic
def _renew(model: type[models.Model], name: str, pk: Any) -> int:
    """One row at a time, each in a short transaction: nobody waits for long."""
    rows = model._default_manager.filter(pk=pk)
    before = rows.select_for_update().values_list(name, flat=True).first()
    after = secrets.renewed(before)
    changed = sum(one != other for one, other in zip(secrets.sealed_in(before), secrets.sealed_in(after), strict=True))
    if changed:
        rows.update(**{name: after})
    return changed


def _write_keys(keys: tuple[str, ...]) -> None:
    """Replace the key file in one step that survives a power cut."""
    path: Path = settings.ENVIRONMENT.secrets_file
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _only_one() -> Iterator[None]:
    with open(Path(settings.STUDIO_DATA) / "secrets.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StudioError("invalid", "Another rotation is under way.", hint="Wait until it has ended.") from error
        yield
