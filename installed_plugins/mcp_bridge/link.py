"""One server: connected to, and connected to again when it is lost, without anybody else noticing."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import mcp_types as types
from mcp import Client, MCPError
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from plugins_app.sdk import DeadlineExceeded, NotReady, PluginError, UpstreamError

from .catalog import Catalog, read_catalog
from .settings import ServerSettings
from .transports import open_transport

__all__ = ["Link"]

_T = TypeVar("_T")
_LONGEST_WAIT_S = 60.0
#: A call that comes while a server is being connected to waits for so long.
_PATIENCE_S = 5.0
#: A program has two seconds to end by itself, and two after SIGTERM, before it is killed.
_LONGEST_CLOSE_S = 6.0
#: A connection that held for so long was a good one: the next wait is short again.
_STEADY_S = 30.0
_LIST_CHANGES = (
    types.ToolListChangedNotification,
    types.ResourceListChangedNotification,
    types.PromptListChangedNotification,
)


class Link:
    """A connection that is kept up by `run`, which must be a task of its own."""

    def __init__(self, settings: ServerSettings, *, connect_s: float, reconnect_s: float, log: logging.Logger) -> None:
        self.settings, self.catalog = settings, Catalog()
        self._connect_s, self._reconnect_s, self._log = connect_s, reconnect_s, log
        self._client: Client | None = None
        self._said: deque[str] = deque(maxlen=5)
        self._reason = "it is being connected to for the first time"
        self._closing = False
        self._ready, self.tried = asyncio.Event(), asyncio.Event()
        self._ended, self._stale = asyncio.Event(), asyncio.Event()

    def status(self) -> dict[str, Any]:
        """Whether it is connected, and why not."""
        client = self._client
        found = {"server": self.settings.name, "transport": self.settings.transport, "connected": client is not None}
        if client is None:
            return found | {"reason": self._reason}
        info = client.server_info
        named = {"name": info.name, "version": info.version} if info else {}
        return found | named | {"protocol": client.protocol_version, "tools": len(self.catalog.tools)}

    async def run(self) -> None:
        """Connect, and connect again when it is lost, until closed."""
        wait = self._reconnect_s
        while not self._closing:
            since = time.monotonic()
            try:
                await self._connected()
                self._reason = "the connection was lost"
            except Exception as error:  # noqa: BLE001 - whatever a server or its transport raises concerns it alone
                self._reason = self._why(error)
            finally:
                self._end()
                self.tried.set()
            if self._closing:
                return
            if time.monotonic() - since > _STEADY_S:
                wait = self._reconnect_s
            self._log.warning("%s: %s; trying again in %.1f s", self.settings.name, self._reason, wait)
            await asyncio.sleep(wait * random.uniform(0.75, 1.25))
            wait = min(wait * 2, max(_LONGEST_WAIT_S, self._reconnect_s))

    async def close(self, task: asyncio.Task[None]) -> None:
        """End `task`, which is running `run`, with the connection and the program."""
        self._closing = True
        if self._client is None:
            task.cancel()
        self._end()
        # A cancellation can get lost where a transport fails at the same moment: then it is repeated.
        while not (await asyncio.wait((task,), timeout=_LONGEST_CLOSE_S))[0]:
            task.cancel()

    def _end(self) -> None:
        """This connection is no more, from now on."""
        self._client = None
        self._ready.clear()
        self._ended.set()

    async def _connected(self) -> None:
        """One connection, from its beginning to its end."""
        self._ended, self._stale = asyncio.Event(), asyncio.Event()
        self._said.clear()
        client = Client(
            open_transport(self.settings, self._end, self._heard_line),
            mode=self.settings.protocol,
            cache=None,
            message_handler=self._heard,
            read_timeout_seconds=self.settings.timeout_s,
            client_info=types.Implementation(name="ai-chat-studio", version="1.0.0"),
        )
        timer = asyncio.timeout(self._connect_s)
        async with timer:  # left open until the lists are read; what is inside must not see it afterwards
            await client.__aenter__()
            try:
                self.catalog = await read_catalog(client)
            except BaseException as error:  # a cancellation, too, leaves no connection
                await client.__aexit__(type(error), error, error.__traceback__)
                raise
        try:
            self._client = client
            self._ready.set()
            self.tried.set()
            self._log.info("%s: connected, %d tools", self.settings.name, len(self.catalog.tools))
            await self._watch(client)
        except BaseException as error:  # what `async with` does, whose end is elsewhere than its beginning
            if not await client.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            await client.__aexit__(None, None, None)

    async def _watch(self, client: Client) -> None:
        """Ask again for what has changed, until the connection ends."""
        tasks = [asyncio.create_task(self._ended.wait())]
        if client.protocol_version in MODERN_PROTOCOL_VERSIONS:
            tasks.append(asyncio.create_task(self._listen(client)))
        try:
            while not self._ended.is_set():
                stale = asyncio.create_task(self._stale.wait())
                await asyncio.wait((tasks[0], stale), return_when=asyncio.FIRST_COMPLETED)
                stale.cancel()
                if self._stale.is_set() and not self._ended.is_set():
                    self._stale.clear()
                    self.catalog = await read_catalog(client)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, client: Client) -> None:
        """How newer servers tell that a list has changed. The end of it is the end of the connection."""
        offered = client.server_capabilities.tools
        if offered is None or not offered.list_changed:
            return
        try:
            async with client.listen(tools_list_changed=True) as events:
                async for _ in events:
                    self._stale.set()
        except (ListenNotSupportedError, TimeoutError, MCPError) as error:
            self._log.info("%s: does not tell of changes: %s", self.settings.name, error)
            return
        except SubscriptionLost:
            pass
        self._end()

    async def _heard(self, message: Any) -> None:
        """How older servers tell it."""
        if isinstance(message, _LIST_CHANGES):
            self._stale.set()

    def _heard_line(self, line: str) -> None:
        self._said.append(line)
        self._log.info("%s: %s", self.settings.name, line)

    async def use(self, ask: Callable[[Client], Awaitable[_T]], timeout_s: float | None = None) -> _T:
        """Ask the server something.

        Raises:
            NotReady: it is not connected; the text says why.
            DeadlineExceeded: it takes too long.
            UpstreamError: the connection broke.
            PluginError: it refuses.
        """
        client = await self._connection()
        limit = timeout_s or self.settings.timeout_s
        try:
            async with asyncio.timeout(limit):
                return await ask(client)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{self.settings.name} did not answer in {limit:g} s") from error
        except MCPError as error:
            raise self._explained(error) from error
        except ValueError as error:  # pydantic's, and jsonschema's where a result does not fit its own schema
            raise UpstreamError(
                f"{self.settings.name} answers with something that is not MCP: {error}"[:500]
            ) from error

    async def _connection(self) -> Client:
        if self._client is None:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._ready.wait()
            except TimeoutError:
                pass
        if self._client is None:
            raise NotReady(f"the MCP server {self.settings.name} is not connected: {self._reason}", retry_after=10)
        return self._client

    def _explained(self, error: MCPError) -> PluginError:
        name = self.settings.name
        if error.code == types.REQUEST_TIMEOUT:
            return DeadlineExceeded(f"{name} did not answer in {self.settings.timeout_s:g} s")
        if error.code == types.CONNECTION_CLOSED:
            self._end()  # over HTTP nothing else tells
            return UpstreamError(f"the connection to {name} broke: {error.message}")
        return PluginError(f"{name}: {error.message}")

    def _why(self, error: BaseException) -> str:
        """The first cause, and what the program said last."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        slow = f"it did not get ready in {self._connect_s:g} s"
        words = slow if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        said = f" ({' | '.join(self._said)})" if self._said else ""
        return f"{words}{said}"[:1000]
