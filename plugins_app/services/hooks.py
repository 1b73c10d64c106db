"""Hooks: callbacks on lifecycle events, in whichever process they were registered and whichever caused the event.

One daemon thread per process reads the events in order, from the moment of the first registration on. Redis wakes it;
when it does not, the thread looks once a second. The signal `plugins_app.signals.plugin_event` is sent from here too.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import redis
from django.db import DatabaseError, close_old_connections

from plugins_app.models import LifecycleEvent
from plugins_app.signals import plugin_event

from .events import EVENTS
from .hints import EVENTS_CHANNEL, redis_client

__all__ = ["HookRegistry", "hooks"]

Callback = Callable[..., Any]
_POLL = 1.0
_BATCH = 200
_log = logging.getLogger(__name__)


class HookRegistry:
    """Who wants to know what. `register` returns its own undo."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callback]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_id = 0

    def register(self, event: str, callback: Callback) -> Callable[[], None]:
        """Call `callback(plugin_id)` or `callback(plugin_id, data)` on every such event; "*" is all of them."""
        if event not in EVENTS and event != "*" and ":" not in event:
            raise ValueError(f"there is no event {event!r}; there are {', '.join(EVENTS)}")
        with self._lock:
            self._callbacks.setdefault(event, []).append(callback)
            self._start()

        def undo() -> None:
            self.unregister(event, callback)

        return undo

    def unregister(self, event: str, callback: Callback) -> bool:
        """Forget the callback; False when it was not registered."""
        with self._lock:
            callbacks = self._callbacks.get(event, [])
            if callback not in callbacks:
                return False
            callbacks.remove(callback)
            return True

    def stop(self) -> None:
        """End the thread; for tests and for a process that ends in order."""
        thread, self._thread = self._thread, None
        self._wake.set()
        if thread is not None:
            thread.join(timeout=5)

    def _start(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        newest = LifecycleEvent.objects.order_by("-id").values_list("id", flat=True).first()
        self._last_id = newest or 0
        self._thread = threading.Thread(target=self._run, name="plugin-hooks", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        me, listener = threading.current_thread(), _Listener()
        try:
            while self._thread is me:
                try:
                    self._drain()
                except DatabaseError as error:
                    _log.warning("hooks cannot read events, trying again: %s", error)
                close_old_connections()
                listener.wait(self._wake)
        finally:
            listener.close()
            _close_connection()

    def _drain(self) -> None:
        while True:
            rows = list(LifecycleEvent.objects.filter(id__gt=self._last_id).order_by("id")[:_BATCH])
            for row in rows:
                self._last_id = row.id
                self._deliver(row)
            if len(rows) < _BATCH:
                return

    def _deliver(self, row: LifecycleEvent) -> None:
        with self._lock:
            callbacks = [*self._callbacks.get(row.event, ()), *self._callbacks.get("*", ())]
        data = {**row.data, "id": row.id, "event": row.event, "at": row.at.isoformat(), "node": row.node}
        for callback in callbacks:
            try:
                _call(callback, row.plugin_id, data)
            except Exception:  # noqa: BLE001 - a hook is somebody else's code, and must harm nothing
                _log.exception("a hook on %s failed: %r", row.event, callback)
        for _, error in plugin_event.send_robust(sender=row.event, plugin_id=row.plugin_id, data=data):
            if isinstance(error, Exception):
                _log.error("a receiver of plugin_event failed on %s: %r", row.event, error)


def _call(callback: Callback, plugin_id: str, data: dict[str, Any]) -> None:
    result = callback(plugin_id, data) if _takes_two(callback) else callback(plugin_id)
    if inspect.isawaitable(result):
        asyncio.run(_awaited(result))


async def _awaited(result: Any) -> None:
    await result


def _takes_two(callback: Callback) -> bool:
    try:
        inspect.signature(callback).bind("plugin", {})
    except (TypeError, ValueError):
        return False
    return True


class _Listener:
    """Waits for Redis to say that there is something, or for a second."""

    def __init__(self) -> None:
        self._pubsub: redis.client.PubSub | None = None

    def wait(self, wake: threading.Event) -> None:
        try:
            if self._pubsub is None:
                self._pubsub = redis_client().pubsub(ignore_subscribe_messages=True)
                self._pubsub.subscribe(EVENTS_CHANNEL)
            self._pubsub.get_message(timeout=_POLL)
        except (redis.RedisError, OSError):
            self.close()
            wake.wait(_POLL)

    def close(self) -> None:
        """Give the connection back."""
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None


def _close_connection() -> None:
    from django.db import connection

    connection.close()


@cache
def hooks() -> HookRegistry:
    """This process's hooks."""
    return HookRegistry()
