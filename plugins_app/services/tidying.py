"""Removing from this node's disk what nobody needs any more: old versions, environments, drafts and trash. For beat."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from plugins_app.models import Plugin, PluginEnvironment, PluginInstance, PluginRelease, PluginVersion

from . import envfiles
from .environments import environment_key
from .packages import package_delete
from .snapshots import remove_tree, snapshot_path

__all__ = ["RELEASES_KEPT", "disk_tidy", "incoming_remove", "versions_needed"]

#: So many releases of each plugin can be gone back to, however old they are.
RELEASES_KEPT = 20
KEPT = timedelta(days=30)
DRAFTS_KEPT = timedelta(days=1)
INCOMING = ".incoming-"
_log = logging.getLogger(__name__)


def disk_tidy() -> None:
    """Look at everything once. What is in use, or was made lately, stays."""
    needed = versions_needed()
    _tidy_store(needed)
    _tidy_packages(needed)
    _tidy_environments(needed)
    _tidy_trash()
    for folder in _old(_plugins().glob(f"{INCOMING}*"), DRAFTS_KEPT):
        remove_tree(folder)


def versions_needed() -> set[int]:
    """The versions that something refers to: wanted, running, in a folder, or among the last releases."""
    needed: set[int] = set()
    for plugin in Plugin.objects.select_related("desired", "proven", "waiting"):
        wanted = (plugin.desired, plugin.proven, plugin.waiting)
        needed |= {release.version_id for release in wanted if release is not None}
        needed |= {plugin.version_id} if plugin.version_id else set()
        last = PluginRelease.objects.filter(plugin=plugin).order_by("-generation")
        needed |= set(last.values_list("version_id", flat=True)[:RELEASES_KEPT])
    for plugin_id, digest in PluginInstance.objects.exclude(digest=None).values_list("plugin_id", "digest"):
        needed |= set(PluginVersion.objects.filter(plugin_id=plugin_id, digest=digest).values_list("id", flat=True))
    return needed


def _tidy_store(needed: set[int]) -> None:
    kept = {snapshot_path(*facts) for facts in _facts(PluginVersion.objects.filter(id__in=needed))}
    for home in _folders(Path(settings.STUDIO_STORE)):
        drafts = (folder for folder in _folders(home) if folder.name.startswith(".") and folder not in kept)
        for folder in _old(drafts, DRAFTS_KEPT):
            remove_tree(folder)
        versions = (folder for folder in _folders(home) if not folder.name.startswith(".") and folder not in kept)
        for folder in _old(versions, KEPT):
            _take_away(folder)


def _take_away(folder: Path) -> None:
    """Out of sight at once: nobody finds half a version."""
    aside = folder.with_name(f".spoilt-{folder.name[:32]}")
    with contextlib.suppress(OSError):
        folder.rename(aside)
        remove_tree(aside)


def _facts(versions: Iterable[PluginVersion]) -> list[tuple[str, str]]:
    return [(version.plugin_id, version.digest) for version in versions]


def _tidy_packages(needed: set[int]) -> None:
    long_ago = timezone.now() - KEPT
    for version in PluginVersion.objects.filter(shared=True, created_at__lt=long_ago).exclude(id__in=needed):
        PluginVersion.objects.filter(id=version.pk).update(shared=False)
        package_delete(version)


def _tidy_environments(needed: set[int]) -> None:
    root = Path(settings.STUDIO_ENVS)
    for draft in _old(root.glob(".draft-*"), DRAFTS_KEPT):
        remove_tree(draft)
    metadata = PluginVersion.objects.filter(id__in=needed).values_list("metadata", flat=True)
    used = {key for key in map(environment_key, metadata) if key}
    long_ago = timezone.now() - KEPT
    busy = Q(status__in=(PluginEnvironment.Status.PENDING, PluginEnvironment.Status.INSTALLING))
    here = PluginEnvironment.objects.filter(node=settings.STUDIO_NODE)
    with envfiles.publishing():
        here.filter(updated_at__lt=long_ago).exclude(busy).exclude(key__in=used).delete()
        known = used | set(here.values_list("key", flat=True))
        envfiles.remove_unused(known, older_than=KEPT)


def _tidy_trash() -> None:
    root = Path(settings.STUDIO_DATA) / "trash"
    restorable = set(Plugin.objects.exclude(trash="").values_list("trash", flat=True))
    for folder in _old((each for each in _folders(root) if each.name not in restorable), KEPT):
        remove_tree(folder)


def incoming_remove() -> None:
    """Remove what a package that was being installed here has left, when the studio was killed meanwhile."""
    for folder in _plugins().glob(f"{INCOMING}{settings.STUDIO_NODE}-*"):
        remove_tree(folder)


def _plugins() -> Path:
    return Path(settings.STUDIO_PLUGINS)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _old(folders: Iterable[Path], age: timedelta) -> Iterator[Path]:
    """Those that were neither made nor moved for so long."""
    for folder in folders:
        try:
            status = folder.lstat()
        except FileNotFoundError:
            continue
        if time.time() - max(status.st_ctime, status.st_mtime) > age.total_seconds():
            yield folder
