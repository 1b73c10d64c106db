"""The specification's Python face: `from plugins_app.manager import plugin_manager`.

Thin: everything is done by the services, the selectors and the client. The asynchronous methods can be called on any
event loop; the changes are the same that the HTTP API makes, so every process sees them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from plugins_app import runtime
from plugins_app.client import CallError
from plugins_app.models import PluginState
from plugins_app.sdk import PluginMetadata, PluginType
from plugins_app.selectors.health import studio_health
from plugins_app.selectors.plugins import Catalogue
from plugins_app.services import configuration
from plugins_app.services import plugins as service
from plugins_app.services.calls import call_error
from plugins_app.services.discovery import plugins_discover
from plugins_app.services.errors import StudioError
from plugins_app.services.hooks import hooks
from plugins_app.services.hostcalls import HostCalls

__all__ = ["PluginHandle", "PluginManager", "plugin_manager"]


class PluginHandle:
    """A loaded plugin: what it is, and its methods, which are called in its own process.

    ``await plugin_manager.get_plugin("calculator").execute(action="evaluate", parameters={...})``
    """

    def __init__(self, card: Mapping[str, Any], metadata: PluginMetadata) -> None:
        self._card = card
        self.metadata = metadata

    @property
    def id(self) -> str:
        """The plugin's id."""
        return self.metadata.id

    @property
    def state(self) -> str:
        """Where it stood when this handle was made."""
        return str(self._card["state"])

    @property
    def generation(self) -> int | None:
        """Which generation served when this handle was made; a call always reaches the newest."""
        return self._card["generation"]

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration, secrets masked."""
        return dict(self._card.get("config") or {})

    @property
    def last_error(self) -> dict[str, Any] | None:
        """What went wrong last."""
        return self._card["last_error"]

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("_"):
            raise AttributeError(name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await plugin_manager.execute_plugin(self.id, name, *args, **kwargs)

        call.__name__ = name
        return call

    def __repr__(self) -> str:
        return f"<plugin {self.id} {self.metadata.version}: {self.state}>"


class PluginManager:
    """Load, use and unload plugins. Every failure is a `PluginError` that says what happened and what to do."""

    async def initialize(self) -> None:
        """Look at the plugins folder. Nothing is loaded by it; calling it again is harmless."""
        await _in_thread(plugins_discover)

    async def load_plugin(self, plugin_id: str, config: Mapping[str, Any] | None = None) -> bool:
        """Load a plugin and what it depends on; a loaded one is swapped when its configuration changed.

        Raises:
            StudioError: why it is not loaded.
        """
        result = await _in_thread(service.plugin_load, plugin_id=plugin_id, config=config)
        return result.settled

    async def unload_plugin(self, plugin_id: str, cascade: bool = False) -> bool:
        """Unload a plugin, with `cascade` also those that depend on it."""
        result = await _in_thread(service.plugin_unload, plugin_id=plugin_id, cascade=cascade)
        return result.settled

    async def reload_plugin(self, plugin_id: str) -> bool:
        """Swap a loaded plugin to its folder as it is now, without a failed call; one that is not loaded is loaded."""
        try:
            result = await _in_thread(service.plugin_reload, plugin_id=plugin_id)
        except StudioError as error:
            if error.code != "not_loaded":
                raise
            result = await _in_thread(service.plugin_load, plugin_id=plugin_id)
        return bool(result.settled)

    async def update_plugin_config(self, plugin_id: str, config: Mapping[str, Any]) -> bool:
        """Replace the stored configuration; a loaded plugin is swapped to it."""
        result = await _in_thread(configuration.plugin_config_set, plugin_id=plugin_id, config=config)
        return result.settled

    async def execute_plugin(self, plugin_id: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a declared method of a loaded plugin and return its result."""
        try:
            client = runtime.async_client()
            result = await client.call(plugin_id, method, args, kwargs, host=HostCalls().answer_async)
        except CallError as error:
            raise await _in_thread(call_error, plugin_id, error) from error
        return result.value

    async def stream_plugin(self, plugin_id: str, method: str, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Call a method that yields, item by item. Leaving early cancels the call in the plugin."""
        try:
            stream = runtime.async_client().stream(plugin_id, method, args, kwargs, host=HostCalls().answer_async)
            async with stream:
                async for item in stream:
                    yield item
        except CallError as error:
            raise await _in_thread(call_error, plugin_id, error) from error

    def get_plugin(self, plugin_id: str) -> PluginHandle | None:
        """A loaded plugin, or None."""
        return next((handle for handle in self.get_all_plugins() if handle.id == plugin_id), None)

    def get_all_plugins(self) -> list[PluginHandle]:
        """The loaded plugins."""
        return [handle for handle in self.get_available_plugins() if handle.state in _LOADED]

    def get_plugins_by_type(self, plugin_type: PluginType | str) -> list[PluginHandle]:
        """The loaded plugins of one type."""
        return [handle for handle in self.get_all_plugins() if handle.metadata.plugin_type == plugin_type]

    def get_available_plugins(self) -> list[PluginHandle]:
        """Every usable plugin found, loaded or not."""
        return _from_anywhere(_handles)

    def register_hook(self, event: str, callback: Callable[..., Any]) -> Callable[[], None]:
        """Call `callback(plugin_id)` on every such event, whichever process caused it; returns its own undo."""
        return hooks().register(event, callback)

    def unregister_hook(self, event: str, callback: Callable[..., Any]) -> bool:
        """Undo `register_hook`; False when there was nothing to undo."""
        return hooks().unregister(event, callback)

    async def health(self) -> dict[str, Any]:
        """How the studio is, part by part."""
        return await _in_thread(studio_health)


_LOADED = frozenset({PluginState.ACTIVE, PluginState.LOADING, PluginState.DRAINING})


def _handles() -> list[PluginHandle]:
    plugins_discover()
    catalogue = Catalogue()
    cards = [(plugin, catalogue.card(plugin, operator=True)) for plugin in catalogue.plugins.values()]
    return [
        PluginHandle(card, PluginMetadata.from_dict((plugin.desired or plugin).version.metadata))  # type: ignore[union-attr]
        for plugin, card in cards
        if plugin.version is not None
    ]


async def _in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run what blocks in a thread of its own: a slow load must not hold up another one."""
    return await sync_to_async(_with_own_connection, thread_sensitive=False)(function, *args, **kwargs)


def _from_anywhere(function: Callable[..., Any], *args: Any) -> Any:
    """Run a short query, also where an event loop is running, on which Django refuses to make one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return function(*args)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_with_own_connection, function, *args).result()


def _with_own_connection(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    finally:
        connections.close_all()  # this thread's own: nobody else would


#: The one the specification speaks of. It has no state: any number of them would be the same.
plugin_manager = PluginManager()
