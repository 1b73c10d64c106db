"""What the studio offers a plugin while it works: `self.context`."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any, Protocol, TypedDict

from .errors import PluginError

__all__ = ["Context", "Conversations", "Count", "Counters", "HostTransport", "Storage"]


class HostTransport(Protocol):
    """How a context reaches the studio: over the call's connection, or a fake one in tests."""

    async def host_call(self, operation: str, payload: dict[str, Any]) -> Any:
        """Ask the studio, as the calling user.

        Raises:
            PermissionDenied: the manifest did not ask, or the operator did not grant.
            PluginError: there is no call under way, or the studio's own error.
        """

    def send_progress(self, fraction: float | None, message: str) -> None: ...

    @property
    def cancelled(self) -> bool: ...

    @property
    def user(self) -> dict[str, Any] | None: ...


class _Done:
    """Lets `context.progress(...)` be written with or without `await`."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield  # pragma: no cover - makes this a generator


class _Detached:
    """The transport of a plugin that no process runs."""

    cancelled = False
    user = None

    async def host_call(self, operation: str, payload: dict[str, Any]) -> Any:
        raise PluginError(
            f"{operation}: this plugin is not running in a studio; use sdk.testing.PluginHarness in tests"
        )

    def send_progress(self, fraction: float | None, message: str) -> None:
        return None


class Storage:
    """Key-value storage of one plugin, kept by the studio. Values are JSON-like; a quota applies to their sum."""

    def __init__(self, transport: HostTransport) -> None:
        self._transport = transport

    async def get(self, key: str, default: Any = None) -> Any:
        """The stored value, or `default`."""
        found = await self._transport.host_call("storage.get", {"key": key})
        return found["value"] if found["found"] else default

    async def set(self, key: str, value: Any) -> None:
        """Store a value. Raises PluginError when the quota would be exceeded."""
        await self._transport.host_call("storage.set", {"key": key, "value": value})

    async def add(self, key: str, amount: float) -> float:
        """Add to the stored number and return the sum; what is not there is 0. Nobody else's addition gets lost."""
        total: float = await self._transport.host_call("storage.add", {"key": key, "amount": amount})
        return total

    async def delete(self, key: str) -> bool:
        """Remove a value; False when there was none."""
        return bool(await self._transport.host_call("storage.delete", {"key": key}))

    async def list(self, prefix: str = "") -> list[str]:
        """The keys that begin with `prefix`, sorted."""
        return list(await self._transport.host_call("storage.list", {"prefix": prefix}))


class Count(TypedDict):
    """How much was counted in the window under way, and in how many seconds it ends."""

    total: float
    resets_in: float


class Counters:
    """Counters of one plugin, shared by all processes and machines of the studio and kept in memory by Redis."""

    def __init__(self, transport: HostTransport) -> None:
        self._transport = transport

    async def add(self, name: str, amount: float = 1, window_s: float = 60) -> Count:
        """Add to a counter that begins anew at 0 with each window; an amount of 0 only looks.

        Windows are counted from the epoch: those of 86,400 s begin at midnight UTC.

        Raises:
            NotReady: Redis does not answer. Whether to go on without counting is the plugin's decision.
        """
        asked = {"name": name, "amount": amount, "window_s": window_s}
        counted: Count = await self._transport.host_call("counters.add", asked)
        return counted


class Conversations:
    """The calling user's own conversations, to read. It needs the permission ``host: conversations:read``."""

    def __init__(self, transport: HostTransport) -> None:
        self._transport = transport

    async def search(self, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """Messages and titles with all the words (the last may be cut short), best first.

        Each is ``{"conversation_id", "title", "message_id", "role", "excerpt", "created_at"}``; a title that was found
        has no `message_id`.
        """
        return list(await self._transport.host_call("conversations.search", {"query": query, "limit": limit}))

    async def get(self, conversation_id: str) -> dict[str, Any]:
        """A whole conversation, as an export plugin's `export` gets it.

        Raises:
            PluginError: the user has no such conversation.
        """
        return dict(await self._transport.host_call("conversations.get", {"conversation_id": conversation_id}))


class Context:
    """The studio, seen from inside a plugin. Safe to use from a sync method's thread for `progress` and `cancelled`."""

    def __init__(self, plugin_id: str = "", transport: HostTransport | None = None) -> None:
        self._transport: HostTransport = transport or _Detached()
        self.plugin_id = plugin_id
        self.logger = logging.getLogger(f"plugin.{plugin_id}" if plugin_id else "plugin")
        self.storage = Storage(self._transport)
        self.counters = Counters(self._transport)
        self.conversations = Conversations(self._transport)

    def progress(self, fraction: float | None, message: str = "") -> _Done:
        """Tell the caller how far this call is: `fraction` from 0 to 1, or None when unknown."""
        self._transport.send_progress(fraction, message)
        return _Done()

    @property
    def cancelled(self) -> bool:
        """Whether the caller has cancelled the call that is being answered."""
        return self._transport.cancelled

    @property
    def user(self) -> dict[str, Any] | None:
        """The calling user: ``{"id", "username"}``; None for the system."""
        return self._transport.user

    async def call(self, plugin_id: str, method: str, **kwargs: Any) -> Any:
        """Call another plugin, as the same user and within the time this call has left."""
        payload = {"plugin_id": plugin_id, "method": method, "kwargs": kwargs}
        return await self._transport.host_call("plugins.call", payload)

    async def chat(self, model: str, messages: list[dict[str, Any]], **kwargs: Any) -> dict[str, Any]:
        """Ask a model (``"<plugin>/<model>"``); the answer has OpenAI's chat completion shape."""
        payload = {"model": model, "messages": messages, "kwargs": kwargs}
        return dict(await self._transport.host_call("models.chat", payload))

    async def emit(self, event: str, data: dict[str, Any] | None = None) -> None:
        """Publish an event of this plugin to hooks, live pages and webhooks."""
        await self._transport.host_call("events.emit", {"event": event, "data": data or {}})
