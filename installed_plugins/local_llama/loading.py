"""Which models are in memory: loaded when first asked, the one unused for longest freed for the next."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from plugins_app.sdk import UpstreamError

from .engine import Engine
from .weights import Model

__all__ = ["Loaded"]


class Loaded:
    """The engines of the loaded models. One that answers is never freed."""

    def __init__(self, config: Mapping[str, Any], *, concurrency: int) -> None:
        self._threads, self._most = int(config.get("threads", 1)), int(config.get("loaded_models", 2))
        self._concurrency = concurrency
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._busy: Counter[str] = Counter()
        self._changing = asyncio.Lock()

    @asynccontextmanager
    async def using(self, model: Model) -> AsyncIterator[Engine]:
        """The model's engine, which stays loaded as long as it is used."""
        self._busy[model.id] += 1
        try:
            yield await self.engine(model)
        finally:
            self._busy[model.id] -= 1

    async def engine(self, model: Model) -> Engine:
        """The model's engine, loaded now if need be; in a thread, because it takes a while."""
        async with self._changing:
            if model.id not in self._engines:
                await self._make_room()
                self._engines[model.id] = await asyncio.to_thread(self._load, model)
            self._engines.move_to_end(model.id)
            return self._engines[model.id]

    async def close(self) -> None:
        """Stop what still generates and free the memory."""
        async with self._changing:
            while self._engines:
                await asyncio.to_thread(self._engines.popitem()[1].close)

    async def _make_room(self) -> None:
        idle = [identity for identity in self._engines if not self._busy[identity]]
        for identity in idle[: max(0, len(self._engines) - self._most + 1)]:
            await asyncio.to_thread(self._engines.pop(identity).close)

    def _load(self, model: Model) -> Engine:
        try:
            return Engine(
                weights=model.path,
                threads=self._threads,
                context_window=model.context,
                concurrency=self._concurrency,
            )
        except (RuntimeError, ValueError, MemoryError) as error:
            raise UpstreamError(f"llama.cpp cannot load {model.path.name}: {error}", 500) from error
