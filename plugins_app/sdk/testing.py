"""Run a plugin in a test, in process, under the rules of the real runtime.

    async with PluginHarness(MyPlugin, config={"api_key": "secret"}) as plugin:
        assert await plugin.call("execute", action="search", parameters={"query": "AI"}) == {...}
        chunks = [chunk async for chunk in plugin.stream("stream_completion", messages=[...], model="small")]
        assert plugin.progress == [Progress(0.5, "half way")]

The plugin is a class, or the path of its folder, which is then read as the studio reads it: `plugin.toml`,
`config.json`, and `plugin.py` imported afresh under `installed_plugins.<folder>`. A class whose module lies beside a
`plugin.toml` gets that manifest too.

As in the studio: the configuration gets its defaults and is validated; `initialize` and calls have time limits; only
declared methods can be called; sync methods run in a thread; what goes in and out must survive msgpack; host calls need
a permission and work only while a call is answered. Unlike there, the plugin is not sandboxed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from . import _running
from ._fake_studio import Event, FakeStudio, HostCall, Progress, Script
from ._running import limit, merged, misfit, outcome_of, plain
from .base import BasePlugin, file_of
from .config import defaults, validate, with_defaults
from .context import Context
from .errors import ConfigError, DeadlineExceeded, PluginError
from .manifest import MANIFEST_NAME, read_manifest
from .metadata import Limits, PluginMetadata, PluginType
from .methods import LIFECYCLE_METHODS, declared_methods
from .state import OldState

__all__ = ["CallRefused", "Event", "HostCall", "LoadFailed", "PluginHarness", "Progress"]

_NOT_ENTERED = "enter the harness first: async with PluginHarness(...) as plugin:"


class LoadFailed(PluginError):
    """The studio would not have loaded the plugin; `reason` is the studio's code for why."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CallRefused(PluginError):
    """The studio would have refused the call; `reason` is the studio's code for why."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PluginHarness:
    """One plugin, from `initialize` (on entering) to `shutdown` (on leaving).

    `permissions` are the granted ones (``["host:storage", "host:plugins:calculator"]``); by default all that the
    manifest asks for. `calls` and `chat` script the answers to `context.call` and `context.chat`: a function (sync or
    async), one answer, or a list of answers to give in turn. A text stands for a model's whole answer.
    `conversations` are the user's, as `context.conversations.get` returns them; there must be a `user` to read them.
    `old` is what a generation before would have left: with it `migrate_state` runs after `initialize`.
    """

    def __init__(
        self,
        plugin: type[BasePlugin] | Path,
        config: Mapping[str, Any] | None = None,
        *,
        permissions: Sequence[str] | None = None,
        calls: Script = None,
        chat: Script = None,
        storage: Mapping[str, Any] | None = None,
        storage_quota: int = 2**20,
        user: Mapping[str, Any] | None = None,
        conversations: Sequence[Mapping[str, Any]] = (),
        old: Mapping[str, Any] | None = None,
    ) -> None:
        self._studio = FakeStudio(
            storage=storage,
            storage_quota=storage_quota,
            scripts={"plugins.call": calls, "models.chat": chat},
            user=user,
            conversations=conversations,
        )
        self._old = old
        self._source, self._given, self._permissions = plugin, dict(config or {}), permissions
        self._plugin: BasePlugin | None = None
        self._metadata: PluginMetadata | None = None
        self._cleanup = contextlib.ExitStack()

    # --- life ---

    async def __aenter__(self) -> PluginHarness:
        try:
            self._plugin = self._create()
            await self._initialize(self._plugin)
        except BaseException:  # `__aexit__` is not called then
            self._cleanup.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with limit(self.limits.drain_timeout_s, "shutdown"):
                await outcome_of(self.plugin.shutdown)
        finally:
            self._cleanup.close()

    @property
    def plugin(self) -> BasePlugin:
        """The instance, for what a test wants to look at directly."""
        if self._plugin is None:
            raise RuntimeError(_NOT_ENTERED)
        return self._plugin

    @property
    def metadata(self) -> PluginMetadata:
        """Who the plugin says it is."""
        if self._metadata is None:
            raise RuntimeError(_NOT_ENTERED)
        return self._metadata

    @property
    def storage(self) -> dict[str, Any]:
        """What the plugin has stored."""
        return self._studio.storage

    @property
    def counters(self) -> dict[tuple[str, float], float]:
        """What the plugin has counted in the windows under way, by name and length in seconds."""
        return self._studio.counters()

    def advance(self, seconds: float) -> None:
        """Set the counters' clock forward, so that windows end; by itself it stands still."""
        self._studio.clock += seconds

    def lose_counters(self, *, away: bool = True) -> None:
        """From now on no counter answers, as when Redis is away; or they do again."""
        self._studio.counters_away = away

    @property
    def events(self) -> list[Event]:
        """What the plugin has emitted."""
        return self._studio.events

    @property
    def progress(self) -> list[Progress]:
        """What calls said on the way."""
        return self._studio.progress

    @property
    def host_calls(self) -> list[HostCall]:
        """Everything the plugin has asked the studio for, refused or not."""
        return self._studio.host_calls

    def cancel(self) -> None:
        """From now on `context.cancelled` is true, as when the caller of a sync method has gone away."""
        self._studio.cancelled = True

    @property
    def limits(self) -> Limits:
        """The manifest's limits, or the studio's own."""
        return Limits(**self.metadata.limits)

    def _create(self) -> BasePlugin:
        plugin_class, folder, manifest = self._parts()
        below = _running.folder_config(folder)
        if manifest is not None:
            self._give(plugin_class, "_metadata", manifest)
        # A spec-style plugin has its schema in the property `metadata`: an instance must exist to be asked.
        self._metadata = manifest or self._instance(plugin_class, merged(below, self._given)).metadata
        if problems := self._metadata.problems():
            raise LoadFailed("metadata_failed", "; ".join(problems))
        self._studio.granted = self._granted(self._metadata)
        self._studio.dependencies = _running.dependency_ids(self._metadata)
        return self._instance(plugin_class, self._config(below))

    def _granted(self, metadata: PluginMetadata) -> set[str]:
        if self._permissions is not None:
            return set(self._permissions)
        asked = metadata.permissions
        return {f"{kind}:{value}" for kind, values in asked.items() if isinstance(values, list) for value in values}

    def _parts(self) -> tuple[type[BasePlugin], Path | None, PluginMetadata | None]:
        """The class, the folder it comes from, and the folder's manifest."""
        if isinstance(self._source, type):
            file = getattr(sys.modules.get(self._source.__module__), "__file__", None)
            folder = Path(file).parent if file else None
            return self._source, folder, _manifest(folder)
        folder = self._source.resolve()
        manifest = _manifest(folder)
        return self._import(folder, manifest), folder, manifest

    def _import(self, folder: Path, manifest: PluginMetadata | None) -> type[BasePlugin]:
        module, _, wanted = ((manifest.entry if manifest else None) or "plugin").partition(":")
        if manifest and manifest.plugin_type is PluginType.UI and not (folder / f"{module}.py").exists():
            return type("UiPlugin", (BasePlugin,), {})
        found = _running.plugin_class_in(self._cleanup.enter_context(_running.imported(folder, module)), wanted)
        if isinstance(found, str):
            raise LoadFailed("several_classes" if "several" in found else "no_class", found)
        return found

    def _config(self, below: Mapping[str, Any]) -> dict[str, Any]:
        schema = self.metadata.config_schema
        config = with_defaults(merged(merged(defaults(schema), below), self._given), schema)
        if errors := validate(config, schema):
            words = "; ".join(f"{error['pointer']}: {error['message']}" for error in errors)
            raise ConfigError(f"the configuration is invalid: {words}", errors)
        return config

    def _instance(self, plugin_class: type[BasePlugin], config: dict[str, Any]) -> BasePlugin:
        name = self._metadata.id if self._metadata else plugin_class.__name__
        self._give(plugin_class, "_context", Context(name, self._studio))
        plugin = plugin_class(config) if misfit(plugin_class, ({},), {}) is None else plugin_class()
        plugin._config = MappingProxyType(dict(config))
        return plugin

    def _give(self, plugin_class: type[BasePlugin], name: str, value: Any) -> None:
        """Set a class attribute for as long as the harness is entered."""
        self._cleanup.callback(setattr, plugin_class, name, getattr(plugin_class, name))
        setattr(plugin_class, name, value)

    async def _initialize(self, plugin: BasePlugin) -> None:
        try:
            async with limit(self.limits.init_timeout_s, "initialize"):
                if await outcome_of(plugin.validate_config) is False:
                    raise LoadFailed("config_invalid", "validate_config returned False")
                if await outcome_of(plugin.initialize) is False:
                    raise LoadFailed("initialize_returned_false", "initialize returned False")
                if self._old is not None:
                    left = OldState(self._old, self.metadata.version, 1)
                    await outcome_of(lambda: plugin.migrate_state(left))
        except DeadlineExceeded as error:
            raise LoadFailed("initialize_timeout", str(error)) from error

    # --- calls ---

    async def call(self, method: str, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Call a declared method as the API does. A tool's async generator leaves its items in `progress`.

        Raises:
            CallRefused: the method is private, of the lifecycle, undeclared or unknown, or the arguments do not fit.
            DeadlineExceeded: it took longer than `timeout`, by default the manifest's `call_timeout_s`.
        """
        function = self._resolve(method, args, kwargs)

        async def answer() -> Any:
            outcome = await self._invoke(function, args, kwargs)
            items = _running.items_of(outcome)
            return await self._collect(items, method) if items is not None else plain(outcome, method)

        return await self._as_call(answer(), method, timeout)

    async def stream(
        self, method: str, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        """The items of a declared method that is a generator. Leaving early cancels it, as a client that goes away."""
        function = self._resolve(method, args, kwargs)
        queue: asyncio.Queue[Any] = asyncio.Queue(1)

        async def answer() -> None:
            items = _running.items_of(await self._invoke(function, args, kwargs))
            if items is None:
                raise CallRefused("not_a_stream", f"{method} is not a generator; use call()")
            async for item in items:
                await queue.put(plain(item, method))

        # A task of its own, as in the studio: the plugin's context variables are not the test's.
        task = asyncio.create_task(self._as_call(answer(), method, timeout))
        try:
            async for item in _until_done(queue, task):
                yield item
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _as_call(self, answer: Coroutine[Any, Any, Any], method: str, timeout: float | None) -> Any:
        async def run() -> Any:
            _running.in_call.set(True)
            async with limit(timeout or self.limits.call_timeout_s, method):
                return await answer

        return await asyncio.create_task(run())

    async def _invoke(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return await _running.invoke(function, plain(args, "arguments"), plain(kwargs, "arguments"))

    def _resolve(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[..., Any]:
        declared = declared_methods(type(self.plugin), self.metadata.plugin_type)
        if name.startswith("_"):
            raise CallRefused("method_private", f"{name} is private to the plugin")
        if name in LIFECYCLE_METHODS:
            raise CallRefused("method_lifecycle", f"{name} belongs to the plugin's lifecycle")
        if name not in declared:
            if hasattr(type(self.plugin), name):
                raise CallRefused("method_undeclared", f"{name} is not declared; mark it with @method()")
            raise CallRefused("method_not_found", f"no method {name}; there are: {', '.join(sorted(declared))}")
        function: Callable[..., Any] = getattr(self.plugin, name)
        if problem := misfit(function, args, kwargs):
            raise CallRefused("arguments_invalid", f"{name}: {problem}")
        return function

    async def _collect(self, items: AsyncIterator[Any], method: str) -> Any:
        found = [plain(item, method) async for item in items]
        if self.metadata.plugin_type is not PluginType.TOOL:
            return file_of(found) if self.metadata.plugin_type is PluginType.EXPORT else found
        self.progress.extend(Progress.of(item) for item in found[:-1])
        return found[-1] if found else None


async def _until_done(queue: asyncio.Queue[Any], task: asyncio.Task[Any]) -> AsyncGenerator[Any, None]:
    """What comes through the queue until the task that fills it has ended."""
    while not (task.done() and queue.empty()):
        getter = asyncio.ensure_future(queue.get())
        await asyncio.wait({getter} if not queue.empty() else {getter, task}, return_when=asyncio.FIRST_COMPLETED)
        if getter.done():
            yield getter.result()
        else:
            getter.cancel()


def _manifest(folder: Path | None) -> PluginMetadata | None:
    path = folder / MANIFEST_NAME if folder is not None else None
    return read_manifest(path) if path is not None and path.is_file() else None
