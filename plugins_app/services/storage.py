"""What a plugin keeps through `context.storage`: one quota per plugin, values as JSON."""

from __future__ import annotations

import math
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Sum

from plugins_app.models import Plugin, StorageItem

from .connections import DATABASE_AWAY
from .errors import StudioError

__all__ = ["QUOTA", "storage_add", "storage_delete", "storage_get", "storage_list", "storage_set"]

QUOTA = 2**20
_KEY_LIMIT = 255
#: What every number is counted as, so that it may grow in its place without being over the quota.
_NUMBER_SIZE = 24
_LARGEST = 2**53  # what JSON's readers agree on


def storage_get(*, plugin_id: str, key: str) -> dict[str, Any]:
    """``{"found", "value"}``."""
    item = StorageItem.objects.filter(plugin_id=plugin_id, key=key).first()
    return {"found": item is not None, "value": item.value if item else None}


@transaction.atomic
def storage_set(*, plugin_id: str, key: str, value: Any) -> None:
    """Store a value. Raises `storage_quota` when the sum of all would be too large."""
    size = _size(key, value)
    Plugin.objects.select_for_update().get(id=plugin_id)  # two writers at once must not both fit
    _put(plugin_id, key, value, size)


def _put(plugin_id: str, key: str, value: Any, size: int) -> None:
    others = StorageItem.objects.filter(plugin_id=plugin_id).exclude(key=key)
    used = others.aggregate(total=Sum("size_bytes"))["total"] or 0
    if used + size > QUOTA:
        detail = f"The storage of {plugin_id} holds {used} bytes; {size} more are over its {QUOTA}."
        raise StudioError("storage_quota", detail, hint="Delete what is not needed.")
    StorageItem.objects.update_or_create(plugin_id=plugin_id, key=key, defaults={"value": value, "size_bytes": size})


def storage_add(*, plugin_id: str, key: str, amount: float) -> float:
    """Add to the number stored under `key`, 0 when there is none, and return the sum; several may do so at once.

    Raises:
        StudioError: no numbers, over the quota, or the connection broke while it was being stored: whether it was
            then is unknown, so it is not done again.
    """
    if not _is_number(amount):
        raise StudioError("arguments_invalid", f"Only a number can be added, of at most {_LARGEST}.")
    size, committing = _size(key, amount), False
    try:
        with transaction.atomic():
            total = _added(plugin_id, key, amount, size)
            committing = True
    except DATABASE_AWAY as error:
        if not committing:
            raise
        raise StudioError("unavailable", f"The database went away while {key!r} was being stored.") from error
    return total


def _added(plugin_id: str, key: str, amount: float, size: int) -> float:
    item = _locked(plugin_id, key)
    if item is None:
        Plugin.objects.select_for_update().get(id=plugin_id)
        item = _locked(plugin_id, key)  # somebody may have been quicker
    total = _sum(key, item.value if item else 0, amount)
    if item is None:
        _put(plugin_id, key, total, size)
    else:  # no larger than it was, so only its own row is locked: other keys can be added to meanwhile
        item.value = total
        item.save(update_fields=["value", "updated_at"])
    return total


def _locked(plugin_id: str, key: str) -> StorageItem | None:
    return StorageItem.objects.select_for_update().filter(plugin_id=plugin_id, key=key).first()


def _sum(key: str, value: Any, amount: float) -> float:
    if not _is_number(value):
        raise StudioError("arguments_invalid", f"What is stored under {key!r} is no number that can be added to.")
    total = value + amount
    if not _is_number(total):
        raise StudioError("arguments_invalid", f"The sum under {key!r} would be over {_LARGEST}.")
    return float(total) if isinstance(total, float) else int(total)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) <= _LARGEST


def _size(key: str, value: Any) -> int:
    if not key or len(key) > _KEY_LIMIT:
        raise StudioError("arguments_invalid", f"A storage key has 1 to {_KEY_LIMIT} characters.")
    return len(key.encode()) + (_NUMBER_SIZE if _is_number(value) else len(_encoded(value)))


def _encoded(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise StudioError("arguments_invalid", f"The value cannot be stored as JSON: {error}.") from error


def storage_delete(*, plugin_id: str, key: str) -> bool:
    """Remove a value; False when there was none."""
    return bool(StorageItem.objects.filter(plugin_id=plugin_id, key=key).delete()[0])


def storage_list(*, plugin_id: str, prefix: str = "") -> list[str]:
    """The keys that begin with `prefix`, sorted."""
    keys = StorageItem.objects.filter(plugin_id=plugin_id).values_list("key", flat=True)
    return sorted(key for key in keys if key.startswith(prefix))
