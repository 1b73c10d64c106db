"""The history of a plugin's configuration as operators see it: masked, and compared by what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import QuerySet

from plugins_app.models import ConfigRevision, Plugin
from plugins_app.sdk.config import pointer
from plugins_app.services import secrets
from plugins_app.services.configuration import revision_missing
from plugins_app.services.revisions import revision_current

__all__ = ["revision_comparison", "revision_facts", "revision_of", "revision_rows"]

_ABSENT: Any = object()


def revision_rows(plugin: Plugin) -> QuerySet[ConfigRevision]:
    """The revisions of a plugin's configuration, newest first."""
    return ConfigRevision.objects.filter(plugin=plugin).select_related("created_by").order_by("-number")


def revision_of(plugin: Plugin, number: int | None) -> ConfigRevision:
    """One revision; None means: what is stored now.

    Raises:
        StudioError: `revision_not_found`.
    """
    found = revision_current(plugin) if number is None else revision_rows(plugin).filter(number=number).first()
    if found is None:
        raise revision_missing(plugin.id, number or 0)
    return found


def revision_facts(revision: ConfigRevision, *, whole: bool = False) -> dict[str, Any]:
    """One revision, and what it changed; the `whole` one with its configuration."""
    plugin = revision.plugin
    current = revision_current(plugin)
    before = revision_rows(plugin).filter(number__lt=revision.number, undone=False).first()
    changes = _differences(before.config if before else {}, revision.config, _schema(plugin))
    facts = {
        "number": revision.number,
        "at": revision.created_at,
        "by": revision.created_by.get_username() if revision.created_by else None,
        "cause": revision.cause,
        "generation": revision.generation,
        "config_version": revision.config_version,
        "undone": revision.undone,
        "current": current is not None and current.id == revision.id,
        "changed": [change["pointer"] for change in changes],
    }
    return facts | ({"config": secrets.mask(secrets.seal(revision.config, _schema(plugin)))} if whole else {})


def revision_comparison(plugin: Plugin, older: int, newer: int | None) -> dict[str, Any]:
    """What differs between two revisions; `newer` None means: what is stored now. A secret is only said to differ."""
    one, other = revision_of(plugin, older), revision_of(plugin, newer)
    changes = _differences(one.config, other.config, _schema(plugin))
    return {"from": one.number, "to": other.number, "changes": changes}


def _schema(plugin: Plugin) -> dict[str, Any]:
    """Today's schema: what is a secret now is one in old revisions too."""
    release = plugin.desired or plugin.waiting
    version = release.version if release else plugin.version
    return dict(version.metadata.get("config_schema") or {}) if version else {}


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(_differ(secrets.seal(one, schema), secrets.seal(other, schema), ()))


def _differ(one: Any, other: Any, path: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    if _is_object(one) and _is_object(other):
        for key in dict.fromkeys((*one, *other)):
            yield from _differ(one.get(key, _ABSENT), other.get(key, _ABSENT), (*path, key))
    elif isinstance(one, list) and isinstance(other, list):
        for index in range(max(len(one), len(other))):
            yield from _differ(_item(one, index), _item(other, index), (*path, index))
    elif one is _ABSENT or other is _ABSENT or not secrets.same(one, other):
        kind = "added" if one is _ABSENT else "removed" if other is _ABSENT else "changed"
        yield {"pointer": pointer(path), "kind": kind, "from": _shown(one), "to": _shown(other)}


def _item(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else _ABSENT


def _shown(value: Any) -> Any:
    return None if value is _ABSENT else secrets.mask(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping) and not secrets.is_sealed(value)
