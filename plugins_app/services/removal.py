"""Removing a plugin that is not loaded."""

from __future__ import annotations

import secrets
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from plugins_app.models import Plugin

from .changes import User, unknown_plugin
from .errors import StudioError

__all__ = ["plugin_remove"]


@transaction.atomic
def plugin_remove(*, plugin_id: str, user: User = None) -> Path | None:
    """Remove a plugin that is not loaded. Its folder is moved to the trash, from where it can be put back.

    Its row stays, hidden, for the number of its last generation. What it stored is gone.

    Raises:
        StudioError: `still_loaded`, or `plugin_not_found`.
    """
    plugin = Plugin.objects.select_for_update(of=("self",)).filter(id=plugin_id).first()
    if plugin is None or plugin.is_removed:
        raise unknown_plugin(plugin_id)
    if plugin.desired_id or plugin.waiting_id or plugin.instances.filter(~Q(generation=None)).exists():
        raise StudioError("still_loaded", f"{plugin_id} is loaded.", hint="Unload it first.")
    moved = _to_trash(plugin)
    Plugin.objects.filter(id=plugin_id).update(
        version=None,
        missing=True,
        folder="",
        fingerprint="",
        problem=None,
        config={},
        granted=[],
        removed_at=timezone.now(),
        trash=str(moved or ""),
    )
    for rows in (plugin.executions, plugin.storage, plugin.releases, plugin.versions, plugin.instances):
        rows.all().delete()
    return moved


def _to_trash(plugin: Plugin) -> Path | None:
    folder = Path(plugin.folder)
    if plugin.missing or not folder.is_dir() or folder.parent != Path(settings.STUDIO_PLUGINS):
        return None
    trash = Path(settings.STUDIO_DATA) / "trash" / f"{folder.name}-{secrets.token_hex(4)}"
    trash.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(trash)
    except OSError:
        import shutil

        shutil.move(str(folder), str(trash))  # the plugins folder may lie on another file system
    return trash
