"""The database as the plugin host sees it: `plugins_app.host.Store`."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import IntegrityError, close_old_connections, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from plugins_app.host import HostPaths, Observed, Wanted
from plugins_app.models import NodeStatus, Plugin, PluginInstance, PluginRelease

from .dependencies import dependencies_of
from .environments import environment_key
from .events import event_record
from .nodes import node_place
from .preparing import node_prepare
from .queue import enqueue
from .resolving import ReleaseConfigs
from .trials import trial_seconds

__all__ = ["DatabaseStore", "host_paths"]

_SETTLE_PAUSE = 0.2


class DatabaseStore:
    """Reads what is wanted, writes what is seen on this node, and nothing else."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._started_at = timezone.now()
        self._unsettled = asyncio.Event()
        self._facts: dict[str, tuple[str, int] | None] = {}
        self._configs = ReleaseConfigs(os.environ)
        self._wanted: dict[str, Wanted] = {}
        self._read: list[tuple[Any, ...]] = []

    async def wanted(self) -> dict[str, Wanted]:
        return await sync_to_async(self._read_wanted)()

    def _read_wanted(self) -> dict[str, Wanted]:
        """Asked every second: releases never change, so they are read again only when others are wanted."""
        close_old_connections()
        rows = Plugin.objects.filter(desired__isnull=False).order_by("id")
        if list(rows.values_list("id", "desired_id", "proven_id", "folder")) != self._read:
            plugins = list(rows.select_related("desired__version", "proven__version"))
            self._wanted = self._all_wanted([plugin for plugin in plugins if plugin.desired is not None])
            # From these very rows: what was asked just before may have changed since.
            self._read = [(plugin.id, plugin.desired_id, plugin.proven_id, plugin.folder) for plugin in plugins]
        return dict(self._wanted)

    def _all_wanted(self, plugins: list[Plugin]) -> dict[str, Wanted]:
        together: dict[UUID | None, dict[str, int]] = defaultdict(dict)
        for plugin in plugins:
            together[plugin.desired.batch][plugin.id] = plugin.desired.generation  # type: ignore[union-attr]
        self._configs.keep_only(each for plugin in plugins for each in (plugin.desired_id, plugin.proven_id) if each)
        return {plugin.id: _with_fallback(plugin, together, self._configs) for plugin in plugins}

    async def observed(self) -> dict[str, Observed]:
        return await sync_to_async(self._read_observed)()

    def _read_observed(self) -> dict[str, Observed]:
        close_old_connections()
        return {row.plugin_id: _observed(row) for row in PluginInstance.objects.filter(node=self._node)}

    async def observe(self, plugin_id: str, observed: Observed) -> None:
        await sync_to_async(self._write_observed)(plugin_id, observed)
        fact = _decides(observed)
        if fact is not None and self._facts.get(plugin_id) != fact:
            self._unsettled.set()
        self._facts[plugin_id] = fact

    async def settle(self) -> None:
        """Have a worker finish what the rows written here decide, as long as this runs. Beat does so too, later."""
        while True:
            await self._unsettled.wait()
            self._unsettled.clear()
            await asyncio.to_thread(enqueue, "releases_settle")
            await asyncio.sleep(_SETTLE_PAUSE)  # many rows at once need one look

    def _write_observed(self, plugin_id: str, observed: Observed) -> None:
        close_old_connections()
        began = observed.started_at
        values = {
            "state": observed.state,
            "generation": observed.generation,
            "attempted": observed.attempted,
            "committed": observed.committed,
            "message": observed.message[:200],
            "digest": observed.digest,
            "pid": observed.pid,
            "error": _readable(observed.error),
            "started_at": datetime.fromtimestamp(began, UTC) if began else None,
            "restarts": observed.restarts,
            "rss_bytes": observed.rss_bytes,
            "calls": observed.calls,
            "errors": observed.errors,
        }
        here = PluginInstance.objects.filter(plugin_id=plugin_id, node=self._node)
        try:
            if not here.update(**values, updated_at=timezone.now()):  # nobody else writes it: no need to lock it
                PluginInstance.objects.create(plugin_id=plugin_id, node=self._node, **values)
        except IntegrityError:
            if Plugin.objects.filter(id=plugin_id).exists():
                raise
            # The plugin was removed meanwhile: nobody is left to be told.

    async def event(self, event: str, plugin_id: str, data: Mapping[str, Any]) -> None:
        await sync_to_async(self._write_event)(event, plugin_id, dict(data))

    def _write_event(self, event: str, plugin_id: str, data: dict[str, Any]) -> None:
        close_old_connections()
        with transaction.atomic():
            event_record(event=event, plugin_id=plugin_id, data=data, node=self._node)

    async def prepare(self, wanted: Wanted) -> Mapping[str, Any] | None:
        # A thread of its own: it may wait for long, and the others must not wait with it.
        return await sync_to_async(self._prepare, thread_sensitive=False)(wanted)

    def _prepare(self, wanted: Wanted) -> Mapping[str, Any] | None:
        try:
            return node_prepare(wanted.plugin_id, wanted.digest, wanted.metadata)
        finally:
            connection.close()

    async def heartbeat(self, sandbox: Mapping[str, Any]) -> bool:
        return await sync_to_async(self._write_heartbeat)(dict(sandbox))

    def _write_heartbeat(self, sandbox: dict[str, Any]) -> bool:
        close_old_connections()
        values = {
            "pid": os.getpid(),
            "started_at": self._started_at,
            "heartbeat_at": Now(),  # by the database's clock, against which others hold it
            "place": node_place(),
            "sandbox": sandbox,
        }
        _, is_new = NodeStatus.objects.update_or_create(node=self._node, defaults=values)
        return not is_new


def _decides(observed: Observed) -> tuple[str, int] | None:
    """What makes somebody change what is wanted: a release that was rejected, or has passed its trial."""
    if observed.error is not None and observed.error.get("generation") == observed.attempted:
        return "rejected", observed.attempted
    if observed.committed is not None and observed.committed == observed.generation:
        return "committed", observed.committed
    return None


def _with_fallback(
    plugin: Plugin, together: Mapping[UUID | None, Mapping[str, int]], configs: ReleaseConfigs
) -> Wanted:
    """What is wanted of a plugin, and what to go back to if that does not survive its trial."""
    assert plugin.desired is not None
    wanted = _wanted(plugin, plugin.desired, configs)
    asked_with_it = together[plugin.desired.batch] if plugin.desired.batch else {}
    requires = {each: asked_with_it[each] for each in wanted.dependencies if each in asked_with_it}
    proven = plugin.proven
    fallback = _wanted(plugin, proven, configs) if proven is not None and proven.id != plugin.desired_id else None
    if fallback is not None and _is_the_same(wanted, fallback):
        fallback = None  # nothing would be better with it
    return replace(wanted, requires=requires, fallback=fallback)


def _is_the_same(one: Wanted, other: Wanted) -> bool:
    return (one.digest, one.config, one.granted) == (other.digest, other.config, other.granted)


def _wanted(plugin: Plugin, release: PluginRelease, configs: ReleaseConfigs) -> Wanted:
    version = release.version
    config, problem = configs.plain(release)
    needed = [each.plugin_id for each in dependencies_of(version.metadata) if not each.optional]
    return Wanted(
        plugin_id=plugin.id,
        folder=Path(plugin.folder).name or plugin.id,
        generation=release.generation,
        digest=version.digest,
        metadata=version.metadata,
        config=config.config,
        secrets=config.secrets,
        granted=tuple(release.granted),
        environment=environment_key(version.metadata),
        dependencies=tuple(needed),
        soak=trial_seconds(version.metadata),
        problem=problem,
    )


def _observed(row: PluginInstance) -> Observed:
    return Observed(
        state=row.state,
        generation=row.generation,
        attempted=row.attempted,
        committed=row.committed,
        message=row.message,
        digest=row.digest,
        pid=row.pid,
        error=row.error,
        started_at=row.started_at.timestamp() if row.started_at else None,
        restarts=row.restarts,
        rss_bytes=row.rss_bytes,
        calls=row.calls,
        errors=row.errors,
    )


def _readable(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Times as people and JavaScript read them."""
    if error is None:
        return None
    at = error.get("at")
    moment = datetime.fromtimestamp(at, UTC).isoformat() if isinstance(at, (int, float)) else at
    return {**error, "at": moment}


def host_paths() -> HostPaths:
    """Where this node keeps what it runs."""
    work = settings.STUDIO_DATA / "work"
    return HostPaths(settings.STUDIO_RUN, settings.STUDIO_STORE, settings.STUDIO_ENVS, work)
