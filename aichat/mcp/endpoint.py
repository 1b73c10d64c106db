"""An MCP server over the official SDK: every request by itself, as the user whose key it brings.

Both generations of the protocol are spoken: the one with a handshake, and from 2026-07-28 on the one without.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import mcp_types as types
from django.conf import settings
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from aichat.chat.auth import ChatUser
from aichat.chat.http import Receive, Scope, Send
from aichat.chat.studio import ChatStudio
from aichat.mcp.conversations import Conversations
from aichat.mcp.routes import USER
from aichat.mcp.tools import Tools
from plugins_app.services.connections import DATABASE_AWAY, database_trouble
from plugins_app.services.errors import StudioError

__all__ = ["Endpoint"]

_INSTRUCTIONS = (
    "The tools of an AI Chat Studio's plugins, and the conversations you have had there as resources. "
    "Tools come and go while plugins are loaded and unloaded: list them again when one is missing."
)
#: Files come in a call's arguments. What goes to a plugin has a limit of its own (`plugins_app.wire`).
BODY_LIMIT = 8 << 20
Context = ServerRequestContext[Any, Any]
logging.getLogger("mcp").setLevel(logging.WARNING)  # it has a line for every request


class Endpoint:
    """The server of one event loop."""

    def __init__(self, studio: ChatStudio) -> None:
        self._tools, self._conversations = Tools(studio), Conversations(studio)
        server: Server[Any] = Server(
            "ai-chat-studio",
            version=settings.STUDIO_VERSION,
            title="AI Chat Studio",
            instructions=_INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
        )
        self._manager = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=BODY_LIMIT)
        self._opened, self._closing = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Be ready for requests."""
        self._task = asyncio.create_task(self._live())
        opened = asyncio.create_task(self._opened.wait())
        await asyncio.wait((self._task, opened), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            opened.cancel()
            self._task.result()

    async def _live(self) -> None:
        """The SDK's own tasks belong to the task that has entered its context, which must be the one to leave it."""
        async with self._manager.run():
            self._opened.set()
            await self._closing.wait()

    async def close(self) -> None:
        """End every request."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whose scope says who asks."""
        await self._manager.handle_request(scope, receive, send)

    async def _list_tools(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=await _told(self._tools.list(_user(context))))

    async def _call_tool(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        report = context.session.report_progress
        return await _told(self._tools.call(_user(context), params.name, params.arguments or {}, report))

    async def _list_resources(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        cursor = params.cursor if params else None
        return await _told(self._conversations.list(_user(context), cursor))

    async def _list_templates(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=[self._conversations.template])

    async def _read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        return await _told(self._conversations.read(_user(context), str(params.uri)))


def _user(context: Context) -> ChatUser:
    assert context.request is not None  # over HTTP there always is one
    user: ChatUser = context.request.scope[USER]
    return user


async def _told(answer: Any) -> Any:
    """What `answer` returns; what it raises, in the protocol's words."""
    try:
        return await answer
    except StudioError as error:
        code = types.INVALID_PARAMS if error.status < 500 else types.INTERNAL_ERROR
        raise MCPError(code, error.detail, {"code": error.code}) from error
    except DATABASE_AWAY as error:
        raise MCPError(types.INTERNAL_ERROR, database_trouble(error).detail) from error
