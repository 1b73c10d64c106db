"""Which versions of a plugin there are, which releases were made of them, and which of these have served."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from plugins_app.models import Plugin, PluginInstance, PluginRelease
from plugins_app.services.removal import KEPT
from plugins_app.services.snapshots import snapshot_path

__all__ = ["plugin_versions", "removed_plugins"]

_SHOWN = 200


def plugin_versions(plugin: Plugin) -> dict[str, Any]:
    """The versions and the releases, newest first; of very many the last ones."""
    here = PluginInstance.objects.filter(plugin=plugin, node=settings.STUDIO_NODE).first()
    serving = here.generation if here else None
    releases = plugin.releases.select_related("version", "created_by").order_by("-generation")[:_SHOWN]
    return {
        "versions": [_version(plugin, row, here.digest if here else None) for row in _versions(plugin)],
        "releases": [_release(row, serving) for row in releases],
    }


def _versions(plugin: Plugin) -> QuerySet[Any]:
    return plugin.versions.order_by("-created_at", "-id")[:_SHOWN]


def _version(plugin: Plugin, row: Any, serving: str | None) -> dict[str, Any]:
    return {
        "digest": row.digest,
        "version": row.metadata.get("version") or "",
        "source": row.source,
        "size_bytes": row.size_bytes,
        "found_at": row.created_at,
        "serving": serving is not None and row.digest == serving,
        "newest": row.pk == plugin.version_id,
        "in_store": snapshot_path(plugin.id, row.digest).is_dir(),
    }


def _release(row: PluginRelease, serving: int | None) -> dict[str, Any]:
    failure = row.failure
    return {
        "generation": row.generation,
        "digest": row.version.digest,
        "version": row.version.metadata.get("version") or "",
        "cause": row.cause,
        "by": row.created_by.get_username() if row.created_by else None,
        "at": row.created_at,
        "committed_at": row.committed_at,
        "failure": {key: failure.get(key) or "" for key in ("code", "detail")} if failure else None,
        "serving": serving == row.generation,
    }


def removed_plugins() -> list[dict[str, Any]]:
    """The plugins that can be put back, the last removed first."""
    rows = Plugin.objects.filter(removed_at__isnull=False).exclude(Q(trash="") & Q(version=None))
    return [_removed(row, row.removed_at) for row in rows.select_related("version").order_by("-removed_at")]


def _removed(plugin: Plugin, removed_at: datetime | None) -> dict[str, Any]:
    assert removed_at is not None
    return {
        "id": plugin.id,
        "name": plugin.metadata.get("name") or plugin.id,
        "version": plugin.metadata.get("version") or "",
        "removed_at": removed_at,
        "forgotten_at": removed_at + KEPT,
    }
