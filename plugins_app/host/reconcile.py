"""The plugin host of one node: reads what is wanted, keeps a supervisor per plugin, reports what is so."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import logging
import os
import shutil
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from plugins_app.process.sandbox import landlock_abi

from .process import PluginProcess, adopt
from .records import read_records, remove
from .store import HostPaths, Observed, Store, Wanted
from .supervisor import Supervisor
from .template import Template

__all__ = ["AlreadyRunningError", "Host"]

_POLL, _HEARTBEAT = 1.0, 5.0
_STOP_DRAIN = 5.0
_log = logging.getLogger(__name__)


class AlreadyRunningError(Exception):
    """Another plugin host runs on this node's data directory."""


class Host:
    """`run()` until `stop()`; `hint()` says that something wanted has changed."""

    def __init__(self, store: Store, paths: HostPaths) -> None:
        self._store, self.paths = store, paths
        self.template = Template(self._exited)
        self._supervisors: dict[str, Supervisor] = {}
        self._processes: dict[int, PluginProcess] = {}
        self._known: dict[str, Observed] = {}
        self._sandbox: Mapping[str, Any] = {"landlock": landlock_abi()}
        self._drains: set[asyncio.Task[None]] = set()
        self._leaving: list[PluginProcess] = []
        self._serial = itertools.count(int.from_bytes(os.urandom(3), "big") << 8)
        self._hint = asyncio.Event()
        self._stop = asyncio.Event()
        self._outbox: asyncio.Queue[tuple[str, str, Any]] = asyncio.Queue()
        self._dirty: dict[str, deque[Observed]] = {}

    # what supervisors need (see supervisor.Node)

    def serial(self) -> int:
        return next(self._serial)

    def is_active(self, plugin_id: str, at_least: int = 0) -> bool:
        found = self._supervisors.get(plugin_id)
        return found is not None and found.current is not None and found.current.generation >= at_least

    def is_in_use(self, plugin_id: str) -> bool:
        """Whether a plugin that is being unloaded too, and depends on this one, has a process left."""
        others = (each for each in self._supervisors.values() if each.wanted is None and each.present)
        return any(plugin_id in each.needs for each in others)

    async def prepare(self, wanted: Wanted) -> Mapping[str, Any] | None:
        try:
            return await self._store.prepare(wanted)
        except Exception as error:  # noqa: BLE001 - the truth is away: one try of one plugin, which is told
            _log.warning("cannot bring %s to this node: %s", wanted.plugin_id, error)
            return {"code": "digest_missing", "detail": f"{wanted.plugin_id} cannot be brought to this node: {error}"}

    def started(self, process: PluginProcess) -> None:
        self._processes[process.pid] = process
        self._sandbox = process.sandbox

    def changed(self) -> None:
        """Something of one plugin changed: whoever depends on it may go on."""
        for supervisor in self._supervisors.values():
            if supervisor.wanted is None or supervisor.wanted.dependencies:
                supervisor.wake()

    def report(self, plugin_id: str, observed: Observed) -> None:
        """Every state is written, in order; within one state only the newest look of it is worth writing."""
        waiting = self._dirty.setdefault(plugin_id, deque())
        if waiting and waiting[-1].state == observed.state:
            waiting[-1] = observed
        else:
            waiting.append(observed)
            self._outbox.put_nowait(("observed", plugin_id, None))

    def event(self, event: str, plugin_id: str, data: Mapping[str, Any]) -> None:
        self._outbox.put_nowait((event, plugin_id, dict(data)))

    def _exited(self, pid: int, status: int) -> None:
        if (process := self._processes.pop(pid, None)) is not None:
            process.exit_status_received(status)

    # running

    def hint(self) -> None:
        """Look at once at what is wanted."""
        self._hint.set()

    def stop(self) -> None:
        """Drain every plugin process and end."""
        self._stop.set()
        self._hint.set()

    async def run(self) -> None:
        """Converge until stopped.

        Raises:
            AlreadyRunningError: there is a host here already.
        """
        with _only_one(self.paths.run):
            writer = asyncio.create_task(self._write(), name="host writer")
            heart = asyncio.create_task(self._beat(), name="host heartbeat")
            try:
                await self._adopt_all()
                while not self._stop.is_set():
                    await self._reconcile()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL):
                            await self._hint.wait()
                    self._hint.clear()
                await asyncio.gather(*(each.stop(_STOP_DRAIN) for each in self._supervisors.values()))
                await self._flush()
            finally:
                for task in (writer, heart):
                    task.cancel()
                await asyncio.gather(writer, heart, return_exceptions=True)
                self.template.close()

    async def _reconcile(self) -> None:
        try:
            wanted = await self._store.wanted()
        except Exception as error:  # noqa: BLE001 - the truth is away: what runs goes on, and we ask again
            _log.warning("cannot read what is wanted: %s", error)
            return
        for plugin_id in wanted.keys() - self._supervisors.keys():
            self._add(Supervisor(self, plugin_id, self._known.get(plugin_id, Observed())))
        for plugin_id, supervisor in list(self._supervisors.items()):
            supervisor.want(wanted.get(plugin_id))

    def _add(self, supervisor: Supervisor) -> None:
        self._supervisors[supervisor.plugin_id] = supervisor
        supervisor.start()

    async def _adopt_all(self) -> None:
        """Take over what an earlier host left running; tidy up after what is gone."""
        self._known = await self._patiently_observed()
        for record in read_records(self.paths.run / "plugins"):
            directory = self.paths.plugin(record.plugin_id)
            process = await adopt(record, directory)
            if process is None:
                remove(directory, record.socket)
                shutil.rmtree(record.work_dir, ignore_errors=True)
                continue
            if record.current and record.plugin_id not in self._supervisors:
                observed = self._known.get(record.plugin_id, Observed())
                self._add(Supervisor(self, record.plugin_id, observed, process))
                _log.info("adopted %s generation %s, pid %s", record.plugin_id, record.generation, record.pid)
            else:
                self._leaving.append(process)
                self._drains.add(task := asyncio.create_task(process.drain()))
                task.add_done_callback(self._drains.discard)
        self._tidy_links()
        self._tidy_rows()
        self._tidy_work()

    def _tidy_links(self) -> None:
        for link in (self.paths.run / "plugins").glob("*/current.sock"):
            if link.parent.name not in self._supervisors:
                link.unlink(missing_ok=True)

    def _tidy_work(self) -> None:
        """Sockets and working directories of processes that ended while nobody watched."""
        alive = [process.record for process in self._all_processes()]
        sockets, directories = {each.socket for each in alive}, {each.work_dir for each in alive}
        for path in (self.paths.run / "plugins").glob("*/g*.sock*"):
            if path.name.removesuffix(".json") not in sockets:
                path.unlink(missing_ok=True)
        for folder in self.paths.work.glob("*/g*-*"):
            if str(folder) not in directories:
                shutil.rmtree(folder, ignore_errors=True)

    def _all_processes(self) -> list[PluginProcess]:
        serving = [each.current for each in self._supervisors.values() if each.current is not None]
        return [*serving, *self._leaving]

    def _tidy_rows(self) -> None:
        """What was serving when the node went down serves no more, whatever its row says."""
        for plugin_id, observed in self._known.items():
            if plugin_id not in self._supervisors and observed.state in ("active", "draining", "loading"):
                self._add(Supervisor(self, plugin_id, observed))

    async def _patiently_observed(self) -> dict[str, Observed]:
        while True:
            try:
                return await self._store.observed()
            except Exception as error:  # noqa: BLE001 - the database may come up after us
                _log.warning("cannot read what this node reported last: %s; trying again", error)
                await asyncio.sleep(_POLL)

    # reporting

    async def _write(self) -> None:
        while True:
            kind, plugin_id, data = await self._outbox.get()
            await self._write_one(kind, plugin_id, data)
            self._outbox.task_done()

    async def _write_one(self, kind: str, plugin_id: str, data: Any) -> None:
        pause = 0.05
        while True:
            try:
                if kind == "observed":
                    await self._write_observed(plugin_id)
                    return
                else:
                    await self._store.event(kind, plugin_id, data)
                    return
            except Exception as error:  # noqa: BLE001 - the truth is away: reports wait their turn, nothing is lost
                _log.warning("cannot report %s of %s: %s; trying again", kind, plugin_id, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)

    async def _write_observed(self, plugin_id: str) -> None:
        waiting = self._dirty[plugin_id]
        while True:
            observed = waiting[0]
            await self._store.observe(plugin_id, observed)
            if waiting[0] is observed:  # else it was brought up to date meanwhile
                waiting.popleft()
                return

    async def _flush(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_DRAIN):
                await self._outbox.join()

    async def _beat(self) -> None:
        while True:
            try:
                await self._say_hello()
            except Exception as error:  # noqa: BLE001 - shown as a stale heartbeat; nothing else depends on it
                _log.warning("cannot report the heartbeat: %s", error)
            await asyncio.sleep(_HEARTBEAT)

    async def _say_hello(self) -> None:
        if not await self._store.heartbeat(self._sandbox):
            for supervisor in self._supervisors.values():  # this node was forgotten: say everything again
                self.report(supervisor.plugin_id, supervisor.observed)


@contextlib.contextmanager
def _only_one(run_dir: Path) -> Any:
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    file: TextIO
    with open(run_dir / "host.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunningError(f"another plugin host runs on {run_dir}; stop it first") from error
        file.write(str(os.getpid()))
        file.flush()
        yield
