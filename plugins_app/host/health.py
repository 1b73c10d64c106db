"""Is a plugin process well? It is asked for a sign of life, and how much memory it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from plugins_app.wire import Pong

from .process import PluginProcess

__all__ = ["until_sick"]

_PING_EVERY, _PING_TIMEOUT = 2.0, 10.0
_log = logging.getLogger(__name__)


async def until_sick(
    process: PluginProcess, is_current: Callable[[], bool], seen: Callable[[Pong, int | None], None]
) -> bool:
    """Watch until the process has to be replaced (True), or is gone, or is not the one that serves any more (False).

    `seen` gets each answer and the memory in bytes. A process that gives no sign of life is killed: its end is noticed
    like any other.
    """
    while is_current() and not process.exited.is_set():
        if await _first_of(process.unhealthy, process.exited, timeout=_PING_EVERY):
            break
        pong = await process.ping(_PING_TIMEOUT)
        if not is_current() or process.exited.is_set():
            return False
        if pong is None:
            _log.warning("%s does not answer its heartbeat; killing it", process.record.plugin_id)
            process.unhealthy_reason = f"it did not answer its heartbeat for {_PING_TIMEOUT:g} s"
            process.kill()
            process.ordered_to_end = False
            return False
        memory = process.memory()
        _check_memory(process, memory)
        seen(pong, memory)
    return process.unhealthy.is_set() and is_current() and not process.exited.is_set()


def _check_memory(process: PluginProcess, memory: int | None) -> None:
    limit = process.record.memory_bytes
    if memory is not None and limit is not None and memory > limit:
        process.unhealthy_reason = f"it uses {memory >> 20} MiB, its limit is {limit >> 20} MiB"
        process.over_limit = True
        process.unhealthy.set()


async def _first_of(*events: asyncio.Event, timeout: float) -> bool:
    """Whether one of the events came within `timeout` seconds."""
    tasks = [asyncio.get_running_loop().create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for task in tasks:
            task.cancel()
