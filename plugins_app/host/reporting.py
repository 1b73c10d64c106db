"""What a supervisor needs of the host around it, and how it tells what it sees."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

from plugins_app.states import is_legal

from .process import PluginProcess
from .store import HostPaths, Observed, Wanted
from .template import Template

__all__ = ["Node", "Reporter"]

_log = logging.getLogger(__name__)


class Node(Protocol):
    """What a supervisor needs of the host around it."""

    paths: HostPaths
    template: Template

    def serial(self) -> int: ...

    def is_active(self, plugin_id: str, at_least: int = 0) -> bool: ...

    def is_in_use(self, plugin_id: str) -> bool: ...

    async def prepare(self, wanted: Wanted) -> Mapping[str, Any] | None: ...

    def started(self, process: PluginProcess) -> None: ...

    def changed(self) -> None: ...

    def report(self, plugin_id: str, observed: Observed) -> None: ...

    def event(self, event: str, plugin_id: str, data: Mapping[str, Any]) -> None: ...


class Reporter:
    """One plugin on this node: what is seen of it, and the tasks that look after it."""

    def __init__(self, node: Node, plugin_id: str, observed: Observed) -> None:
        self._node, self.plugin_id, self.observed = node, plugin_id, observed
        self._tasks: set[asyncio.Task[None]] = set()

    def _observe_active(self, process: PluginProcess) -> None:
        self._observe(
            state="active",
            generation=process.generation,
            digest=process.record.digest,
            pid=process.pid,
            attempted=max(self.observed.attempted, process.generation),
            started_at=process.started_at,
            message="",
        )

    def _observe(self, *, quiet: bool = False, **changes: Any) -> None:
        """Note a change; a `quiet` one (counters) is written only when it is noticeable."""
        before, self.observed = self.observed, replace(self.observed, **changes)
        if not is_legal(before.state, self.observed.state):
            _log.error("%s went from %s to %s, which is no step", self.plugin_id, before.state, self.observed.state)
        if self.observed != before and (not quiet or _noticeable(before, self.observed)):
            self._node.report(self.plugin_id, self.observed)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("care of %s failed", self.plugin_id, exc_info=error)
        self._node.changed()


def _noticeable(before: Observed, after: Observed) -> bool:
    grown = abs((after.rss_bytes or 0) - (before.rss_bytes or 0)) > 1 << 20
    return before.calls != after.calls or before.errors != after.errors or grown or before.rss_bytes is None
