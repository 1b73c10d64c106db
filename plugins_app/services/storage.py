"""What a plugin keeps through `context.storage`: one quota per plugin, values as JSON."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import transaction
from django.db.models import Sum

from plugins_app.models import Plugin, StorageItem

from .errors import StudioError

__all__ = ["QUOTA", "storage_delete", "storage_get", "storage_list", "storage_set"]

QUOTA = 2**20
_KEY_LIMIT = 255


def storage_get(*, plugin_id: str, key: str) -> dict[str, Any]:
    """``{"found", "value"}``."""
    item = StorageItem.objects.filter(plugin_id=plugin_id, key=key).first()
    return {"found": item is not None, "value": item.value if item else None}


@transaction.atomic
def storage_set(*, plugin_id: str, key: str, value: Any) -> None:
    """Store a value. Raises `storage_quota` when the sum of all would be too large."""
    if not key or len(key) > _KEY_LIMIT:
        raise StudioError("arguments_invalid", f"A storage key has 1 to {_KEY_LIMIT} characters.")
    size = len(key.encode()) + len(_encoded(value))
    Plugin.objects.select_for_update().get(id=plugin_id)  # two writers at once must not both fit
    others = StorageItem.objects.filter(plugin_id=plugin_id).exclude(key=key)
    used = others.aggregate(total=Sum("size_bytes"))["total"] or 0
    if used + size > QUOTA:
        detail = f"The storage of {plugin_id} holds {used} bytes; {size} more are over its {QUOTA}."
        raise StudioError("storage_quota", detail, hint="Delete what is not needed.")
    StorageItem.objects.update_or_create(plugin_id=plugin_id, key=key, defaults={"value": value, "size_bytes": size})


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
