"""Removing a plugin that is not loaded, putting it back, and forgetting it for good.

The database says what is to be: `removed_at` that the folder belongs into the trash, and `trash` without it that it
belongs back. Whoever has the folder makes it so: at once on this node, within a minute (`removals_finish`) on others
and after a crash. While a removed folder is still in its place, its fingerprint tells it from a new one.
"""

from __future__ import annotations

import errno
import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from plugins_app.models import Plugin

from .changes import User, unknown_plugin
from .discovery import folder_of, folders_locked
from .errors import StudioError
from .forgetting import plugin_forget_rows
from .trash import move, trash_name, trash_path

__all__ = ["KEPT", "plugin_remove", "plugin_restore", "removals_finish", "removals_forget"]

#: How long a removed plugin can be put back.
KEPT = timedelta(days=30)
_log = logging.getLogger(__name__)


def plugin_remove(*, plugin_id: str, user: User = None) -> None:
    """Remove a plugin that is not loaded: its folder goes to the trash, and everything else is kept with it.

    Raises:
        StudioError: `still_loaded`, `plugin_not_found` or `disk_full`; nothing has changed then.
    """
    with folders_locked():
        _mark_removed(plugin_id)
        try:
            _carry_out(plugin_id)
        except OSError as error:
            Plugin.objects.filter(id=plugin_id).update(removed_at=None, missing=False, trash="")
            raise _not_moved(plugin_id, error) from error


@transaction.atomic
def _mark_removed(plugin_id: str) -> None:
    plugin = Plugin.objects.select_for_update(of=("self",)).filter(id=plugin_id).first()
    if plugin is None or plugin.is_removed:
        raise unknown_plugin(plugin_id)
    if plugin.desired_id or plugin.waiting_id or plugin.instances.filter(~Q(generation=None)).exists():
        raise StudioError("still_loaded", f"{plugin_id} is loaded.", hint="Unload it first.")
    plugin.trash = "" if plugin.missing else trash_name(Path(plugin.folder))
    plugin.removed_at, plugin.missing = timezone.now(), True
    plugin.save(update_fields=["removed_at", "missing", "trash", "updated_at"])


def plugin_restore(*, plugin_id: str, user: User = None) -> None:
    """Put a removed plugin back as it was, not loaded.

    Raises:
        StudioError: `not_removed`; `folder_taken`; `disk_full`. Nothing has changed then.
    """
    with folders_locked():
        before = _mark_restored(plugin_id)
        try:
            _carry_out(plugin_id)
        except OSError as error:
            Plugin.objects.filter(id=plugin_id).update(removed_at=before, missing=True)
            raise _not_moved(plugin_id, error) from error


@transaction.atomic
def _mark_restored(plugin_id: str) -> datetime:
    plugin = Plugin.objects.select_for_update(of=("self",)).filter(id=plugin_id).first()
    if plugin is None:
        raise unknown_plugin(plugin_id)
    before = plugin.removed_at
    if before is None or not (plugin.trash or plugin.version_id):
        raise StudioError("not_removed", f"{plugin_id} was not removed, or is forgotten by now.")
    there = folder_of(plugin_id)
    if there is not None and trash_path(plugin.trash).is_dir():
        detail = f"{there.name} is in the plugins folder already."
        raise StudioError("folder_taken", detail, hint="Move it away, then restore the plugin.")
    plugin.removed_at, plugin.missing = None, not plugin.trash
    plugin.save(update_fields=["removed_at", "missing", "updated_at"])
    return before


def _not_moved(plugin_id: str, error: OSError) -> StudioError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        detail = f"There is no room on the disk to move the folder of {plugin_id}."
        return StudioError("disk_full", detail, hint="Make room, and try again.")
    detail = f"The folder of {plugin_id} cannot be moved: {error.strerror or error}."
    return StudioError("file_unreadable", detail, hint="Give the studio's user the right to move it.")


def _carry_out(plugin_id: str) -> None:
    """Move the folder to where the row says that it belongs, if it is this node's."""
    plugin = Plugin.objects.get(id=plugin_id)
    folder = Path(plugin.folder)
    if plugin.node not in ("", settings.STUDIO_NODE) or not plugin.trash or folder.parent != _plugins():
        return
    trash = trash_path(plugin.trash)
    if plugin.is_removed:
        if folder.is_dir() and not trash.exists():
            move(folder, trash)
        Plugin.objects.filter(id=plugin_id).update(fingerprint="")  # what appears there now is a new one
    else:
        if trash.is_dir() and not folder.exists():
            move(trash, folder)
        Plugin.objects.filter(id=plugin_id).update(trash="", fingerprint="")


def _plugins() -> Path:
    return Path(settings.STUDIO_PLUGINS)


def removals_finish() -> None:
    """Move what other nodes have removed or put back here, and what a crash left in between. For beat, on each node."""
    begun = Q(removed_at__isnull=False) & ~Q(fingerprint="") | Q(removed_at=None)
    here = Plugin.objects.filter(begun, node__in=("", settings.STUDIO_NODE)).exclude(trash="")
    for plugin_id in list(here.values_list("id", flat=True)):
        with folders_locked():
            try:
                _carry_out(plugin_id)
            except OSError as error:
                _log.warning("the folder of %s cannot be moved, trying again later: %s", plugin_id, error)


def removals_forget(*, now: datetime | None = None) -> list[str]:
    """Forget what was removed long ago. Its folder is tidied away with the rest of the trash. For beat."""
    long_ago = (now or timezone.now()) - KEPT
    due = Plugin.objects.filter(removed_at__lt=long_ago).exclude(trash="", version=None)
    return [plugin_id for plugin_id in list(due.values_list("id", flat=True)) if _forget(plugin_id, long_ago)]


@transaction.atomic
def _forget(plugin_id: str, long_ago: datetime) -> bool:
    plugin: Any = Plugin.objects.select_for_update(of=("self",)).filter(id=plugin_id, removed_at__lt=long_ago).first()
    if plugin is not None:
        plugin_forget_rows(plugin)
    return plugin is not None
