"""The asyncio client: one multiplexed connection per plugin."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plugins_app.wire import socket_address

from .affinity import Affinity
from .common import CallPlan, CallResult, ProgressCallback, link_of
from .connection import Connection
from .pending import HostCallback, NeverStarted, Pending, send_call
from .streams import Stream

__all__ = ["AsyncClient", "HostCallback", "Stream"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05


class AsyncClient:
    """Calls plugins from one event loop."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._connections: dict[str, Connection] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def close(self) -> None:
        """Close every connection; calls under way fail."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    async def call(
        self,
        plugin_id: str,
        method: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        user: dict[str, Any] | None = None,
        chain: Sequence[str] = (),
        on_progress: ProgressCallback | None = None,
        host: HostCallback | None = None,
        affinity: Affinity | None = None,
    ) -> CallResult:
        """Call a method and wait for its result; `timeout` in seconds, by default the plugin's own limit.

        With an `affinity` the call is answered by the generation that answered the ones before it, while that lives.

        Raises:
            CallError: with the code of what went wrong.
        """
        plan = CallPlan(plugin_id, method, args, kwargs or {}, timeout, user, chain)
        while True:
            held = affinity.connection(plugin_id) if affinity is not None else None
            connection = held or await self.connect(plan)
            pending = Pending(connection, plan, on_progress, host)
            try:
                send_call(pending, held=held is not None)
                if affinity is not None:
                    affinity.hold(plugin_id, connection)
                return await pending.wait()
            except NeverStarted:
                if affinity is not None:
                    affinity.drop(plugin_id)

    def stream(
        self,
        plugin_id: str,
        method: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        user: dict[str, Any] | None = None,
        chain: Sequence[str] = (),
        host: HostCallback | None = None,
    ) -> Stream:
        """A stream of a method's items; see `Stream`."""
        return Stream(self, CallPlan(plugin_id, method, args, kwargs or {}, timeout, user, chain), host)

    async def connect(self, plan: CallPlan) -> Connection:
        """A usable connection, waiting a little for a process that is being replaced."""
        found = self._connections.get(plan.plugin_id)
        if found is not None and found.usable:
            return found
        async with self._locks.setdefault(plan.plugin_id, asyncio.Lock()):
            found = self._connections.get(plan.plugin_id)
            if found is None or not found.usable:
                found = self._connections[plan.plugin_id] = await self._open(plan)
            return found

    async def _open(self, plan: CallPlan) -> Connection:
        link, pause = link_of(self._run_dir, plan.plugin_id), _FIRST_PAUSE
        while True:
            with contextlib.suppress(OSError):
                connection = await self._open_once(link, plan)
                if connection.usable:  # a goaway may have come with the hello
                    return connection
            if not link.is_symlink():
                raise plan.not_loaded()
            if time.monotonic() + pause > plan.connect_until():
                raise plan.restarting()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _open_once(self, link: Path, plan: CallPlan) -> Connection:
        with socket_address(link) as address:
            _, connection = await asyncio.get_running_loop().create_unix_connection(Connection, address)
        try:
            async with asyncio.timeout(max(0.05, plan.connect_until() - time.monotonic())):
                await asyncio.shield(connection.hello)
        except BaseException:  # a cancelled caller, too, leaves no connection
            connection.close()
            raise
        return connection
