"""The answers that are kept: in memory, and if wanted in the plugin's storage."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from typing import Any

from plugins_app.sdk import PluginError, Storage

__all__ = ["Memory", "Stored"]

_STORED_LIMIT = 64 * 1024

#: ``{"at": when it was kept, "choice", "usage", "cost"}``
Entry = dict[str, Any]


class Memory:
    """The answers used last, up to a number and a size."""

    def __init__(self, *, ttl_s: float, max_entries: int, max_bytes: int) -> None:
        self._ttl_s, self._max_entries, self._max_bytes = ttl_s, max_entries, max_bytes
        self._entries: OrderedDict[str, tuple[int, Entry]] = OrderedDict()
        self.size_bytes = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        """What is kept under `key`, unless it is too old."""
        found = self._entries.get(key)
        if found is None:
            return None
        if is_old(found[1], self._ttl_s):
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return found[1]

    def put(self, key: str, entry: Entry) -> None:
        """Keep an answer; those not used for longest make place for it."""
        self._drop(key)
        size = size_of(entry)
        self._entries[key] = (size, entry)
        self.size_bytes += size
        while len(self._entries) > self._max_entries or self.size_bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self.evicted += 1

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.size_bytes = 0

    def items(self) -> dict[str, Entry]:
        """Everything, the answers used last at the end."""
        return {key: entry for key, (_, entry) in self._entries.items()}

    def _drop(self, key: str) -> None:
        size, _ = self._entries.pop(key, (0, None))
        self.size_bytes -= size


class Stored:
    """The answers in the plugin's storage, which is shared by all machines and outlives the plugin."""

    def __init__(self, storage: Storage, ttl_s: float) -> None:
        self._storage, self._ttl_s = storage, ttl_s

    async def get(self, key: str) -> Entry | None:
        """What is kept under `key`, unless it is too old."""
        entry: Entry | None = await self._storage.get(f"e:{key}")
        if entry is None or not is_old(entry, self._ttl_s):
            return entry
        await self._storage.delete(f"e:{key}")
        return None

    async def put(self, key: str, entry: Entry) -> None:
        """Keep an answer; when the storage is full, the older half makes place."""
        if size_of(entry) > _STORED_LIMIT:
            return
        try:
            await self._storage.set(f"e:{key}", entry)
        except PluginError:
            await self._make_place()
            await self._storage.set(f"e:{key}", entry)

    async def _make_place(self) -> None:
        keys = await self._storage.list("e:")
        ages = [((await self._storage.get(key, {})).get("at", 0), key) for key in keys]
        for _, key in sorted(ages)[: -(-len(ages) // 2)]:
            await self._storage.delete(key)

    async def clear(self) -> None:
        """Forget everything."""
        for key in await self._storage.list("e:"):
            await self._storage.delete(key)


def size_of(entry: Entry) -> int:
    """About how many bytes it takes."""
    return len(json.dumps(entry, ensure_ascii=False).encode())


def is_old(entry: Entry, ttl_s: float) -> bool:
    """Whether its time is over."""
    return time.time() - float(entry["at"]) > ttl_s
