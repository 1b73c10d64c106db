"""A plugin host in the test's own process, with real plugin processes and its truth in memory instead of a database."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugins_app.client import AsyncClient, BlockingClient, CallError, CallResult
from plugins_app.host import Host, HostPaths, Observed, Wanted

__all__ = ["TOOL", "HostedNode", "MemoryStore", "hosted_node"]

TOOL = """
import asyncio, gc, os, time
from backend.plugins.base_plugin import PluginMetadata, PluginType, ToolPlugin

VERSION = "1.0.0"


class Probe(ToolPlugin):
    @property
    def metadata(self):
        return PluginMetadata(id="probe", name="Probe", version=VERSION, author="Ada", description="d",
                              plugin_type=PluginType.TOOL)

    async def execute(self, action, parameters):
        return await getattr(self, "do_" + action)(**parameters)

    async def do_echo(self, **values):
        return {"values": values, "version": VERSION, "pid": os.getpid()}

    async def do_sleep(self, seconds):
        await asyncio.sleep(seconds)
        return {"version": VERSION}

    async def do_block(self, seconds):
        time.sleep(seconds)

    async def do_spin(self):
        while True:
            pass

    async def do_fail(self):
        raise ValueError("no such thing")

    async def do_exit(self, status):
        os._exit(status)

    async def do_read(self, path):
        with open(path) as file:
            return file.read()

    async def do_stubborn(self):
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass

    async def do_store(self, value):
        await self.context.storage.set("k", value)
        return await self.context.storage.get("k")

    async def do_collect(self):
        return gc.collect()

    async def do_progress(self):
        self.context.progress(0.25, "a quarter")
        await self.context.progress(0.5, "half")
        return "done"
"""


class MemoryStore:
    """What a database would hold."""

    def __init__(self) -> None:
        self.desired: dict[str, Wanted] = {}
        self.rows: dict[str, Observed] = {}
        self.history: list[Observed] = []
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.known = True
        self.away = False
        self.changed = asyncio.Condition()

    async def wanted(self) -> dict[str, Wanted]:
        self._check()
        return dict(self.desired)

    async def observed(self) -> dict[str, Observed]:
        self._check()
        return dict(self.rows)

    async def observe(self, plugin_id: str, observed: Observed) -> None:
        self._check()
        async with self.changed:
            self.rows[plugin_id] = observed
            if plugin_id == "probe":
                self.history.append(observed)
            self.changed.notify_all()

    async def event(self, event: str, plugin_id: str, data: Mapping[str, Any]) -> None:
        self._check()
        async with self.changed:
            self.events.append((event, plugin_id, dict(data)))
            self.changed.notify_all()

    async def heartbeat(self, sandbox: Mapping[str, Any]) -> bool:
        self._check()
        return self.known

    async def prepare(self, wanted: Wanted) -> Mapping[str, Any] | None:
        self._check()
        return {"code": "digest_missing", "detail": f"{wanted.digest} is nowhere", "hint": ""}

    def _check(self) -> None:
        if self.away:
            raise ConnectionError("the store is away")


@dataclass
class HostedNode:
    """One node: its host, its truth, and clients of its plugins."""

    root: Path
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        root = self.root
        self.paths = HostPaths(root / "run", root / "store", root / "envs", root / "work")
        self.client = AsyncClient(self.paths.run)
        self.blocking = BlockingClient(self.paths.run)
        self.generation = 0
        self.host: Host | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.host = Host(self.store, self.paths)
        self._task = asyncio.create_task(self.host.run())

    async def stop(self) -> None:
        assert self.host is not None and self._task is not None
        self.host.stop()
        await self._task

    async def abandon(self) -> None:
        """End the host without a word to its plugin processes, as SIGKILL would."""
        assert self.host is not None and self._task is not None
        for supervisor in self.host._supervisors.values():
            supervisor._trial.end()
            for task in (supervisor._task, *supervisor._tasks):
                if task is not None:
                    task.cancel()
            if supervisor.current is not None:
                supervisor.current._supervision.transport.abort()  # type: ignore[union-attr]
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def snapshot(self, digest: str, source: str = TOOL, plugin_id: str = "probe") -> str:
        folder = self.paths.store / plugin_id / digest
        folder.mkdir(parents=True)
        (folder / "plugin.py").write_text(source)
        (folder / "__init__.py").write_text("")
        return digest

    def want(self, digest: str, plugin_id: str = "probe", **changes: Any) -> int:
        """Want a new release; returns its generation."""
        self.generation += 1
        metadata = {"id": plugin_id, "name": "Probe", "version": "1.0.0", "author": "Ada", "description": "d"}
        metadata |= {"plugin_type": "tool", "limits": changes.pop("limits", {})}
        release = Wanted(plugin_id, plugin_id.replace("-", "_"), self.generation, digest, metadata, {}, **changes)
        self.store.desired[plugin_id] = release
        self._hint()
        return self.generation

    def want_nothing(self, plugin_id: str = "probe") -> None:
        self.store.desired.pop(plugin_id, None)
        self._hint()

    def _hint(self) -> None:
        if self.host is not None:
            self.host.hint()

    async def seen(self, condition: Callable[[Observed], bool], plugin_id: str = "probe") -> Observed:
        """Wait until what the host reports meets the condition."""
        async with self.store.changed, asyncio.timeout(30):
            await self.store.changed.wait_for(
                lambda: plugin_id in self.store.rows and condition(self.store.rows[plugin_id])
            )
            return self.store.rows[plugin_id]

    async def active(self, generation: int, plugin_id: str = "probe") -> Observed:
        return await self.seen(lambda row: row.state == "active" and row.generation == generation, plugin_id)

    async def execute(self, action: str, timeout: float | None = None, **parameters: Any) -> CallResult:
        return await self.client.call("probe", "execute", [action, parameters], timeout=timeout)

    async def error(self, action: str, timeout: float | None = None, **parameters: Any) -> CallError:
        """The error that this call ends with."""
        try:
            result = await self.execute(action, timeout, **parameters)
        except CallError as error:
            return error
        raise AssertionError(f"no error but {result}")


@asynccontextmanager
async def hosted_node(root: Path) -> AsyncIterator[HostedNode]:
    """A running node, stopped and cleaned up at the end."""
    node = HostedNode(root)
    await node.start()
    try:
        yield node
    finally:
        await node.client.close()
        node.blocking.close()
        await node.stop()
        shutil.rmtree(root, ignore_errors=True)
