"""What was used, in the plugin's storage: one number for each period, user and unit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from plugins_app.sdk import Storage

__all__ = ["EVERYBODY", "UNITS", "Ledger"]

UNITS = ("tokens", "money")
#: Stands for all users together.
EVERYBODY = "*"
_MAX_AGE_S = 5.0
_KEPT = 20_000


class Ledger:
    """Adds in the database, where nothing gets lost, and remembers sums for a few seconds, so that asking is cheap."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, tuple[float, float]] = {}
        self._named: set[str] = set()
        self._tidied = ""

    async def used(self, period: str, whom: str) -> dict[str, float]:
        """What one user, or EVERYBODY, has used, by unit; a few seconds old where others have added meanwhile."""
        sums = await asyncio.gather(*(self._sum(_key(period, whom, unit)) for unit in UNITS))
        return dict(zip(UNITS, sums, strict=True))

    async def _sum(self, key: str) -> float:
        known = self._known.get(key)
        if known is None or time.monotonic() - known[0] > _MAX_AGE_S:
            return self._learn(key, await self._storage.get(key, 0))
        return known[1]

    async def add(self, period: str, whom: str, unit: str, amount: float) -> float:
        """Add, and return the sum."""
        key = _key(period, whom, unit)
        return self._learn(key, await self._storage.add(key, amount))

    def _learn(self, key: str, total: float) -> float:
        if len(self._known) > _KEPT:
            self._known.clear()
        self._known[key] = (time.monotonic(), total)
        return total

    async def name(self, whom: str, username: str) -> None:
        """Note what a user is called, for reports."""
        if whom not in self._named:
            self._named.add(whom)
            if await self._storage.get(f"name:{whom}") != username:
                await self._storage.set(f"name:{whom}", username)

    async def tidy(self, period: str, before: str) -> None:
        """Once in each period, forget all but it and the one before."""
        if self._tidied == period:
            return
        self._tidied = period
        for key in await self._storage.list("p:"):
            if key.split(":")[1] < before:
                await self._storage.delete(key)

    async def everybody(self, period: str) -> dict[str, dict[str, float]]:
        """What each user has used in a period."""
        found: dict[str, dict[str, float]] = {}
        for key in await self._storage.list(f"p:{period}:"):
            whom, unit = key.split(":")[2:]
            if whom != EVERYBODY:
                found.setdefault(whom, dict.fromkeys(UNITS, 0.0))[_UNIT_OF[unit]] = await self._storage.get(key, 0)
        return found

    async def names(self, users: Iterable[str]) -> dict[str, str]:
        """What users are called."""
        return {whom: await self._storage.get(f"name:{whom}", "") for whom in users}


_UNIT_OF = {unit[0]: unit for unit in UNITS}


def _key(period: str, whom: str, unit: str) -> str:
    return f"p:{period}:{whom}:{unit[0]}"
