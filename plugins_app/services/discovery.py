"""Finding plugins: each folder becomes a row, a broken one a row with its problem. No plugin code runs here.

Where several machines share a database, each looks at its own folders. A plugin belongs to the node that found it
first: what lies in other nodes' folders of the same name counts only when that node is away or has lost the folder,
or when somebody asks for it there.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from plugins_app.models import Plugin, PluginVersion
from plugins_app.sdk.metadata import PLUGIN_ID

from .errors import StudioError
from .events import event_record
from .folders import fingerprint, walk
from .forgetting import plugin_forget_rows
from .nodes import nodes_here
from .permissions import BUNDLED, permissions_asked
from .reading import FolderFacts, folder_facts
from .snapshots import snapshot_path

__all__ = [
    "DiscoveryReport",
    "FolderRead",
    "folder_of",
    "folder_read",
    "folder_store",
    "folders_locked",
    "plugin_refresh",
    "plugins_discover",
]


_SEEN_FIELDS = ["removed_at", "version", "granted", "folder", "fingerprint", "node", "problem", "missing", "updated_at"]
#: So many seconds after a full disk a folder is looked at again.
_DISK_RETRY = 2.0


@dataclass(slots=True)
class DiscoveryReport:
    """What a look at the plugins folder brought."""

    found: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One folder as it looks now."""

    plugin_id: str
    folder: Path
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Look:
    """Who looks, and how. `claimed` are the plugins whose folders here count, whosever they were; None is all."""

    force: bool = False
    claimed: frozenset[str] | None = frozenset()
    here: frozenset[str] = frozenset()

    def claims(self, row: Plugin) -> bool:
        return self.claimed is None or (row.id in self.claimed and not row.is_removed)

    def is_ours(self, row: Plugin) -> bool:
        """Whether this node's folder is the one that counts."""
        if row.node in ("", settings.STUDIO_NODE) or self.claims(row):
            return True
        # Who is not heard of itself cannot tell: all may be starting at once.
        is_away = settings.STUDIO_NODE in self.here and row.node not in self.here
        return (row.missing or is_away) and not row.is_removed


def plugins_discover(*, force: bool = False) -> DiscoveryReport:
    """Bring the rows in line with the plugins folder. Folders that did not change cost one `lstat` per file.

    With `force` broken folders are looked at again even when nothing in them changed, and the folders of this node
    count from now on where several nodes have the same plugin.
    """
    return _discover(force, None if force else frozenset())


def plugin_refresh(*, plugin_id: str, force: bool = False) -> Plugin | None:
    """The plugin as its folder is now, or None when there is none of that id.

    With `force` this node's folder counts from now on. Without a folder here the newest known version stays.
    """
    _discover(force, frozenset({plugin_id}) if force else frozenset())
    return Plugin.objects.select_related("version", "desired__version").filter(id=plugin_id).first()


def _discover(force: bool, claimed: frozenset[str] | None) -> DiscoveryReport:
    report, look = DiscoveryReport(), _Look(force, claimed, frozenset(nodes_here()))
    seen = list(_scan())
    if _out_of_date(seen, look):
        with folders_locked():
            seen = list(_scan())  # what was there a moment ago may have been removed since: it would come back as new
            _reconcile(seen, look, report)
    report.found = [one.plugin_id for one in seen]
    report.broken = list(Plugin.objects.filter(problem__isnull=False).values_list("id", flat=True))
    report.missing = list(Plugin.objects.filter(missing=True, version__isnull=False).values_list("id", flat=True))
    return report


def _scan() -> Iterator[_Seen]:
    """The folders, one per plugin id: the one already known wins over another of the same name."""
    root = Path(settings.STUDIO_PLUGINS)
    by_id: dict[str, Path] = {}
    known = {Path(path).name for path in Plugin.objects.values_list("folder", flat=True)}
    for entry in sorted(os.scandir(root), key=lambda e: (e.name not in known, e.name)) if root.is_dir() else ():
        if entry.is_dir() and not entry.name.startswith((".", "_")):
            by_id.setdefault(_id_of(entry.name), Path(entry.path))
    for plugin_id, folder in sorted(by_id.items()):
        yield _Seen(plugin_id, folder, fingerprint(folder))


def _id_of(name: str) -> str:
    """The id that a folder's name says; a name that cannot be one still gets a row to be listed under."""
    plain = name.replace("_", "-")
    if PLUGIN_ID.fullmatch(plain) and len(plain) <= 64:
        return plain
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:64] or "unnamed"


def folder_of(plugin_id: str) -> Path | None:
    """Where this plugin lies on this node, if it does."""
    return next((one.folder for one in _scan() if one.plugin_id == plugin_id), None)


def _out_of_date(seen: list[_Seen], look: _Look) -> bool:
    columns = ("id", "fingerprint", "folder", "missing", "problem", "node", "removed_at", "updated_at")
    rows = {row.id: row for row in Plugin.objects.only(*columns)}
    here = {one.plugin_id for one in seen}
    gone = any(row.id not in here and _is_lost(row) for row in rows.values())
    return gone or any(_is_stale(rows.get(one.plugin_id), one, look) for one in seen)


def _is_lost(row: Plugin) -> bool:
    """Whether a plugin without a folder here is missing: only its own node can tell."""
    return not row.missing and row.node in ("", settings.STUDIO_NODE)


def _is_stale(row: Plugin | None, one: _Seen, look: _Look) -> bool:
    if row is None:
        return True
    if not look.is_ours(row):
        return False
    if row.is_removed and row.fingerprint and row.fingerprint == one.fingerprint:
        return False  # it is on its way to the trash
    if row.missing or row.node != settings.STUDIO_NODE:
        return True
    if row.fingerprint != one.fingerprint or row.folder != str(one.folder):
        return True
    return row.problem is not None and (look.force or _may_be_over(row))


def _may_be_over(row: Plugin) -> bool:
    """Whether it was the disk that failed and not the folder, and some time ago."""
    is_passing = (row.problem or {}).get("code") in ("disk_full", "snapshot_failed")
    return is_passing and abs((timezone.now() - row.updated_at).total_seconds()) > _DISK_RETRY


@contextmanager
def folders_locked() -> Iterator[None]:
    """Processes that notice the same change do the work once: the second one finds it done."""
    settings.STUDIO_RUN.mkdir(parents=True, exist_ok=True)
    with open(settings.STUDIO_RUN / "discovery.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _reconcile(seen: list[_Seen], look: _Look, report: DiscoveryReport) -> None:
    rows = {row.id: row for row in Plugin.objects.all()}
    for one in seen:
        if _is_stale(rows.get(one.plugin_id), one, look):
            _take_in(one, look)
            report.changed.append(one.plugin_id)
    here = {one.plugin_id for one in seen}
    lost = [row.id for row in rows.values() if row.id not in here and _is_lost(row)]
    ours = Plugin.objects.filter(id__in=lost, node__in=("", settings.STUDIO_NODE))
    ours.update(missing=True, fingerprint="")


def _take_in(one: _Seen, look: _Look) -> None:
    """Read one changed folder; whatever is wrong with it stays with its row."""
    digest, facts, problem = None, None, None
    try:
        digest, facts = folder_facts(plugin_id=one.plugin_id, folder=one.folder)
    except StudioError as error:
        problem = error.to_dict()
    _store(one, look, digest, facts, problem)


@dataclass(frozen=True, slots=True)
class FolderRead:
    """A folder that was found to be good, and is in the store."""

    seen: _Seen
    digest: str
    facts: FolderFacts


def folder_read(folder: Path) -> FolderRead:
    """Check a folder wherever it lies as a look at the plugins folder does; nothing is written but the store.

    Raises:
        StudioError: why it cannot be used.
    """
    seen = _Seen(_id_of(folder.name), folder, fingerprint(folder))
    return FolderRead(seen, *folder_facts(plugin_id=seen.plugin_id, folder=folder))


def folder_store(read: FolderRead, *, folder: Path, source: str) -> Plugin:
    """The plugin, with a folder that has been read and lies in `folder` now. In a transaction, with folders locked."""
    one = replace(read.seen, folder=folder)
    _store(one, _Look(claimed=None), read.digest, read.facts, None, source)
    return Plugin.objects.select_related("version").get(id=one.plugin_id)


@transaction.atomic
def _store(
    one: _Seen,
    look: _Look,
    digest: str | None,
    facts: FolderFacts | None,
    problem: dict[str, Any] | None,
    source: str = "folder",
) -> None:
    plugin, created = Plugin.objects.select_for_update().get_or_create(
        id=one.plugin_id, defaults={"node": settings.STUDIO_NODE}
    )
    if not look.is_ours(plugin):
        return  # another node has just found it too, and was first
    if plugin.is_removed:
        plugin_forget_rows(plugin)  # what lies there now is another plugin of the same name
        created = True
    if digest and facts:
        plugin.version = _version(plugin, digest, facts, source)
        if plugin.id in BUNDLED:
            plugin.granted = sorted({*plugin.granted, *permissions_asked(facts.metadata)})
    plugin.folder, plugin.fingerprint, plugin.node = str(one.folder), one.fingerprint, settings.STUDIO_NODE
    plugin.problem, plugin.missing, plugin.removed_at = problem, False, None
    plugin.save(update_fields=_SEEN_FIELDS)
    if created:
        event_record(event="plugin_discovered", plugin_id=plugin.id, data={"digest": digest, "problem": problem})


def _version(plugin: Plugin, digest: str, facts: FolderFacts, source: str) -> PluginVersion:
    size = sum(entry.status.st_size for entry in walk(snapshot_path(plugin.id, digest)))
    told = {"metadata": facts.metadata, "default_config": facts.default_config, "source": source, "size_bytes": size}
    return PluginVersion.objects.get_or_create(plugin=plugin, digest=digest, defaults=told)[0]
