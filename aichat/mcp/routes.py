"""The path /mcp: who asks, and then the protocol's own SDK.

The SDK takes tens of megabytes and a second to import, so that happens at the first request, in a thread; a studio that
nobody asks over MCP never pays for it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from aichat.chat.errors import ChatError
from aichat.chat.http import Receive, Scope, Send, send_problem
from aichat.chat.routes import current_studio
from plugins_app.services.connections import DATABASE_AWAY, database_trouble
from plugins_app.services.errors import StudioError

if TYPE_CHECKING:
    from aichat.mcp.endpoint import Endpoint

__all__ = ["USER", "close_mcp", "is_mcp_route", "mcp_app"]

#: Where the scope of a request says who asks.
USER = "aichat.user"
_log = logging.getLogger(__name__)
_endpoints: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[Endpoint]] = WeakKeyDictionary()


def is_mcp_route(scope: Scope) -> bool:
    """Whether `mcp_app` answers this path."""
    return scope["path"] in ("/mcp", "/mcp/")


async def mcp_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    watched = _Watched(send)
    try:
        if scope["method"] != "POST":
            # Nothing is kept between requests: there is no session to end, and no stream to listen on.
            raise ChatError("method_not_allowed", "POST is the only method here: each request is answered by itself.")
        user = await current_studio().authenticator.user_of(scope)
        endpoint = await _endpoint()
        await endpoint.handle({**scope, USER: user}, receive, watched)
    except StudioError as error:
        allow = [(b"allow", b"POST")] if error.code == "method_not_allowed" else []
        await send_problem(send, error, allow)
    except DATABASE_AWAY as error:
        _log.warning("/mcp: the database cannot be used: %s", error)
        await watched.fail(database_trouble(error))
    except Exception:  # noqa: BLE001 - nothing is above it: the client must be told here, and the log must have it
        _log.exception("/mcp failed")
        await watched.fail(ChatError("internal_error", "The studio failed; its log says how."))


async def close_mcp() -> None:
    """End the endpoint of the running event loop, if there is one."""
    made = _endpoints.pop(asyncio.get_running_loop(), None)
    if made is not None:
        await (await made).close()


async def _endpoint() -> Endpoint:
    """The endpoint of the running event loop, made once for all who ask for it at first."""
    loop = asyncio.get_running_loop()
    if loop not in _endpoints:
        _endpoints[loop] = loop.create_task(_make())
    try:
        return await asyncio.shield(_endpoints[loop])
    except Exception:  # whatever kept it from being made: the next one tries again
        _endpoints.pop(loop, None)
        raise


async def _make() -> Endpoint:
    module = await asyncio.to_thread(importlib.import_module, "aichat.mcp.endpoint")
    endpoint: Endpoint = module.Endpoint(current_studio())
    await endpoint.open()
    return endpoint


class _Watched:
    """A `send` that knows whether the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self._begun = send, False

    async def __call__(self, message: Any) -> None:
        self._begun = True
        await self._send(message)

    async def fail(self, error: StudioError) -> None:
        """Say what happened, if there is still somebody to say it to."""
        if not self._begun:
            await send_problem(self._send, error)
