"""Hooks: callbacks on lifecycle events, in whichever process they were registered and whichever caused the event.

One daemon thread per process reads the events in order, from the moment of the first registration on, and calls hooks
and the receivers of Django's signals. Redis wakes it; when it does not, the thread looks once a second. A process that
is forked off goes on where its parent was, with a thread of its own.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import redis
from django.apps import apps
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from plugins_app.models import LifecycleEvent
from plugins_app.signals import SIGNALS, plugin_event

from .events import EVENTS
from .hints import EVENTS_CHANNEL, redis_client

__all__ = ["HookRegistry", "hooks"]

Callback = Callable[..., Any]
_POLL = 1.0
_BATCH = 200
_PATIENCE = 2.0
_SETTING_UP = 0.02
#: What somebody else's code may raise without ending the thread that calls it.
_THEIR_FAULTS = (Exception, asyncio.CancelledError, SystemExit)
_log = logging.getLogger(__name__)


class HookRegistry:
    """Who wants to know what. `register` returns its own undo."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callback]] = {}
        self._last_id: int | None = None
        self._thread: threading.Thread | None = None
        self._make_anew()
        connection.vendor  # noqa: B018 -- loads the backend: what it does after a fork must be done before ours
        os.register_at_fork(after_in_child=self._forked)

    def _make_anew(self) -> None:
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._ready = threading.Event()

    def register(self, event: str, callback: Callback) -> Callable[[], None]:
        """Call `callback(plugin_id)` or `callback(plugin_id, data)` on every such event; "*" is all of them."""
        if event not in EVENTS and event != "*" and ":" not in event:
            raise ValueError(f"there is no event {event!r}; there are {', '.join(EVENTS)}")
        self.listen()
        with self._lock:
            self._callbacks.setdefault(event, []).append(callback)

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

    def listen(self) -> None:
        """Read events from now on, if nobody does. Returns when it is settled which ones are new.

        While the apps are being set up nobody may ask the database: then the thread finds out by itself.
        """
        self._start()
        if apps.ready and threading.current_thread() is not self._thread:
            self._ready.wait(_PATIENCE)  # longer only while the database is away; then there are no events either

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._ready.clear()
                self._thread = threading.Thread(target=self._run, name="plugin-hooks", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread; for tests and for a process that ends in order."""
        with self._lock:
            thread, self._thread, self._last_id = self._thread, None, None
        self._wake.set()
        if thread is not None:
            thread.join(timeout=5)

    def _forked(self) -> None:
        """In a child: threads and what they hold stay with the parent."""
        listening = self._thread is not None
        self._thread = None
        self._make_anew()
        if listening:
            self._start()

    def _run(self) -> None:
        me, listener = threading.current_thread(), _Listener()
        self._wake.clear()
        try:
            while not apps.ready and self._thread is me:
                self._wake.wait(_SETTING_UP)
            while self._thread is me:
                self._look(me)
                close_old_connections()
                listener.wait(self._wake)
        finally:
            listener.close()
            connection.close()

    def _look(self, me: threading.Thread) -> None:
        try:
            if self._last_id is None:
                self._last_id = LifecycleEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
            self._ready.set()
            self._drain(me)
        except (DatabaseError, InterfaceError) as error:
            _log.warning("hooks cannot read events, trying again: %s", error)

    def _drain(self, me: threading.Thread) -> None:
        while True:
            rows = list(LifecycleEvent.objects.filter(id__gt=self._last_id).order_by("id")[:_BATCH])
            for row in rows:
                if self._thread is not me:
                    return
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
            except _THEIR_FAULTS:  # a hook is somebody else's code, and must harm nothing
                _log.exception("a hook on %s failed: %r", row.event, callback)
        _send(row, data)


def _send(row: LifecycleEvent, data: dict[str, Any]) -> None:
    """The signals of an event; what a receiver raises is logged."""
    try:
        if (signal := SIGNALS.get(row.event)) is not None:
            signal.send_robust(sender=LifecycleEvent, plugin_id=row.plugin_id, data=data)
        plugin_event.send_robust(sender=sys.intern(row.event), plugin_id=row.plugin_id, data=data)
    except _THEIR_FAULTS:  # what even `send_robust` lets through: a receiver that ends its thread or its loop
        _log.exception("a receiver of the signals of %s failed", row.event)


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


@cache
def hooks() -> HookRegistry:
    """This process's hooks."""
    return HookRegistry()
