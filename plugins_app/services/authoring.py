"""What a save does while an author works: each plugin whose folder really changed is looked at, and swapped if loaded.

`manage.py pluginwatch` calls it. Every batch of saves runs in a thread of its own, so a plugin that is slow to start
holds up nobody, and a save during a swap begins the next one at once: the plugin host gives up the older start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection

from plugins_app.models import Plugin

from .changes import usable_version
from .dependencies import dependencies_of
from .discovery import plugins_discover
from .errors import StudioError
from .folders import fingerprint
from .plugins import plugin_reload
from .releases import Change, releases_wait
from .snapshots import tree_digest

__all__ = ["Became", "Saved", "Saves"]

_log = logging.getLogger(__name__)


class Became(Enum):
    """What a save led to."""

    SWAPPED = "swapped"
    STARTING = "starting"
    SERVING_ALREADY = "serving already"
    FOUND = "found"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of one plugin after a save; `seconds` since it. `along`: others that its swap took along."""

    plugin_id: str
    became: Became
    version: str = ""
    generation: int | None = None
    seconds: float = 0.0
    error: StudioError | None = None
    along: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Folders that were saved together; `first`: before anybody watched. `done`: swapped along with another one."""

    names: list[str]
    at: float
    first: bool
    done: set[str] = field(default_factory=set)


class Saves:
    """Remembers how each folder looked when it was last tried, so that the same content is tried, and told, once."""

    def __init__(self, tell: Callable[[Saved], None]) -> None:
        """Tell what becomes of each save; from any thread, one at a time."""
        self._tell_one = tell
        self._telling, self._looking = threading.Lock(), threading.Lock()
        self._looks: dict[str, str] = {}
        self._newest: dict[str, _Batch] = {}
        self._last: dict[str, Saved] = {}

    def begin(self) -> None:
        """Take in what was saved while nobody watched; only what is loaded is worth a word."""
        _warm_up()
        root = Path(settings.STUDIO_PLUGINS)
        self._take(_Batch([folder.name for folder in root.iterdir() if folder.is_dir()], time.time(), first=True))

    def take(self, names: Iterable[str], at: float) -> None:
        """Go after the folders of these names, which were saved `at`; returns at once."""
        self._take(_Batch(list(names), at, first=False))

    def _take(self, batch: _Batch) -> None:
        with self._looking:
            batch.names[:] = [name for name in batch.names if self._has_changed(name)]
        if batch.names:
            threading.Thread(target=self._work, args=(batch,), name="saved", daemon=True).start()

    def _has_changed(self, name: str) -> bool:
        looks = _looks(Path(settings.STUDIO_PLUGINS) / name)
        before, self._looks[name] = self._looks.get(name), looks
        return looks != before

    def _work(self, batch: _Batch) -> None:
        try:
            self._take_all(_plugins_in(batch.names), batch)
        except DatabaseError as error:
            _log.warning("the database does not answer: %s; save again when it does", error)
            self._forget(batch)
        except Exception:  # noqa: BLE001 - the watcher outlives every save; what the studio itself did wrong is told
            _log.exception("what was saved in %s could not be taken in", ", ".join(batch.names))
            self._forget(batch)
        finally:
            connection.close()

    def _forget(self, batch: _Batch) -> None:
        with self._looking:
            for name in batch.names:
                self._looks.pop(name, None)

    def _take_all(self, plugin_ids: list[str], batch: _Batch) -> None:
        """In order of dependency. What another plugin of the batch may have stood in the way of is tried once more."""
        again = []
        for plugin_id in plugin_ids:
            self._newest[plugin_id] = batch
            saved = self._take_one(plugin_id, batch)
            if saved and saved.error and saved.error.code.startswith("depend") and len(plugin_ids) > 1:
                again.append(plugin_id)
            else:
                self._tell(saved, batch)
        for plugin_id in again:
            self._tell(self._take_one(plugin_id, batch), batch)

    def _tell(self, saved: Saved | None, batch: _Batch) -> None:
        with self._telling:
            # When a later save has taken its place, that one speaks for both.
            if saved is None or self._newest[saved.plugin_id] is not batch:
                return
            before, self._last[saved.plugin_id] = self._last.get(saved.plugin_id), saved
            if saved.became is not Became.FOUND or saved != before:  # that it is not loaded need not be said each time
                self._tell_one(saved)

    def _take_one(self, plugin_id: str, batch: _Batch) -> Saved | None:
        plugin = Plugin.objects.select_related("version", "desired", "waiting").get(id=plugin_id)
        running = plugin.waiting or plugin.desired
        if batch.first and running is None:
            return None
        version = str(plugin.metadata.get("version", ""))
        if plugin.missing:
            return Saved(plugin.id, Became.GONE, version, running.generation if running else None)
        if plugin.problem is not None or running is None:
            return _found(plugin, version)
        if plugin.version_id == running.version_id:
            told = batch.first or plugin_id in batch.done
            return None if told else Saved(plugin.id, Became.SERVING_ALREADY, version, running.generation)
        return self._swap(plugin.id, version, batch)

    def _swap(self, plugin_id: str, version: str, batch: _Batch) -> Saved:
        try:
            result = plugin_reload(plugin_id=plugin_id)
            generation = int(result.new["generation"])
            if not result.settled:
                self._tell(Saved(plugin_id, Became.STARTING, version, generation), batch)
                self._wait(Change(plugin_id, generation), batch)
        except StudioError as error:
            return Saved(plugin_id, Became.FAILED, version, error=error)
        seconds = time.time() - batch.at
        others = [row for row in result.changes if row["id"] != plugin_id and row["action"] != "keep"]
        batch.done.update(row["id"] for row in others)
        along = tuple(f"{row['id']} {row['to']['version']}" for row in others)
        return Saved(plugin_id, Became.SWAPPED, version, generation, seconds, along=along)

    def _wait(self, change: Change, batch: _Batch) -> None:
        """A start that takes long, because packages are installed first perhaps, is told of when it is over."""
        while self._newest[change.plugin_id] is batch and not releases_wait([change]):
            pass


def _warm_up() -> None:
    """The first save must not wait for what checking a configuration's schema imports and compiles."""
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema({"type": "object", "properties": {"a": {"type": "string", "default": ""}}})


def _looks(folder: Path) -> str:
    """By content: a file that is written again as it was has not changed."""
    try:
        return tree_digest(folder)
    except (StudioError, OSError):
        return fingerprint(folder)


def _plugins_in(names: Iterable[str]) -> list[str]:
    """The plugins whose folders are called so, those first that others depend on."""
    plugins_discover()
    folders = [str(Path(settings.STUDIO_PLUGINS) / name) for name in names]
    rows = Plugin.objects.select_related("version").filter(folder__in=folders, removed_at=None)
    found = {plugin.id: plugin for plugin in rows.order_by("id")}
    needs = {
        plugin.id: [each.plugin_id for each in dependencies_of(plugin.metadata) if each.plugin_id in found]
        for plugin in found.values()
    }
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError:
        return list(found)  # each will be told of it


def _found(plugin: Plugin, version: str) -> Saved:
    try:
        usable_version(plugin)
    except StudioError as error:
        if plugin.desired is not None:
            error.detail += f" Generation {plugin.desired.generation} goes on serving."
        return Saved(plugin.id, Became.FAILED, version, error=error)
    return Saved(plugin.id, Became.FOUND, version)
