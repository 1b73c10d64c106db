"""The plugins as they were a moment ago, for routes that make no query of their own."""

from __future__ import annotations

import asyncio
import time

from aichat.chat.threads import DatabaseThreads
from plugins_app.selectors.registry import Registry, RegistryReader
from plugins_app.services.connections import DATABASE_AWAY

__all__ = ["RecentRegistry"]

#: How long a request waits for a database that does not answer, when an older registry is at hand.
_PATIENCE_S = 1.0


class RecentRegistry:
    """Reads the registry anew when it is asked for and too old, once for all who wait.

    While the database is away the last one holds: what it lists can still be called.
    """

    def __init__(self, reader: RegistryReader, threads: DatabaseThreads) -> None:
        self._reader, self._threads = reader, threads
        self._last: Registry | None = None
        self._reading: asyncio.Task[Registry] | None = None
        self._since = 0.0

    async def get(self, *, fresh: bool = False) -> Registry:
        """A registry; a `fresh` one knows everything that was answered before this call.

        Raises:
            OperationalError: the database is away, and there has been none yet.
        """
        if not fresh and (kept := self._reader.kept) is not None:
            self._last = kept
            return kept
        if fresh and self._reading is not None and not self._reading.done():
            await asyncio.wait({self._reading}, timeout=_PATIENCE_S)  # it may have looked too early
        if self._reading is None or self._reading.done():
            self._since = time.monotonic()
            self._reading = asyncio.create_task(self._threads.run(self._reader.read), name="reading the registry")
        reading, last = self._reading, self._last
        patience = None if last is None else max(0.0, self._since + _PATIENCE_S - time.monotonic())
        await asyncio.wait({reading}, timeout=patience)
        if last is None or (reading.done() and not isinstance(reading.exception(), DATABASE_AWAY)):
            self._last = reading.result()
            return self._last
        return last

    async def is_gone(self, plugin_id: str | None) -> bool:
        """Whether a plugin that was planned with has been unloaded since."""
        return plugin_id is not None and plugin_id not in (await self.get(fresh=True)).expected

    async def close(self) -> None:
        """Wait for what is being read."""
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)
