"""The actions of tool plugins as MCP tools."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import mcp_types as types
from django.conf import settings

from aichat.chat.auth import ChatUser
from aichat.chat.errors import ChatError
from aichat.chat.plan import Plugins, ProgressFn, Tool
from aichat.chat.studio import ChatStudio
from aichat.chat.tools import result_text

__all__ = ["Report", "Tools"]

#: Tells the client how far a call is: progress, total, message.
Report = Callable[[float, float | None, str | None], Awaitable[None]]
#: The protocol wants each report to be higher than the one before.
_LEAST_STEP = 1e-6


class Tools:
    """What is offered over MCP, and called as the user who asks.

    Nobody can be asked to approve a call here, so destructive actions are offered only where the operator has said
    so (`STUDIO_MCP_DESTRUCTIVE`); the client then asks its own user, who is told by the annotation.
    """

    def __init__(self, studio: ChatStudio) -> None:
        self._studio = studio

    async def list(self, user: ChatUser) -> list[types.Tool]:
        """The tools of all plugins that serve now."""
        tools, _ = await self._offered(user)
        return [_described(tool) for tool in tools.values()]

    async def call(self, user: ChatUser, name: str, arguments: dict[str, Any], report: Report) -> types.CallToolResult:
        """What the tool answers; its failure is an answer too, so that a model can do something about it.

        Raises:
            ChatError: there is no such tool.
        """
        tools, calls = await self._offered(user)
        if name not in tools:
            raise ChatError("tool_not_found", f"There is no tool {name!r}; tools/list has those there are.")
        try:
            async with _reporting(report) as on_progress:
                result = await _execute(calls, tools[name], arguments, on_progress)
        except ChatError as error:
            text = types.TextContent(type="text", text=f"{error.code}: {error.detail}")
            return types.CallToolResult(content=[text], is_error=True)
        return _answer(result)

    async def _offered(self, user: ChatUser) -> tuple[dict[str, Tool], Plugins]:
        tools, calls = await self._studio.tools_for(user)
        if not settings.STUDIO_MCP_DESTRUCTIVE:
            tools = {name: tool for name, tool in tools.items() if not tool.destructive}
        return tools, calls


def _described(tool: Tool) -> types.Tool:
    parameters = {"type": "object", "properties": {}} | dict(tool.parameters)
    return types.Tool(
        name=tool.name,
        title=tool.title or None,
        description=tool.description or None,
        input_schema=parameters | {"type": "object"},
        annotations=types.ToolAnnotations(title=tool.title or None, destructive_hint=tool.destructive),
    )


async def _execute(calls: Plugins, tool: Tool, arguments: dict[str, Any], on_progress: ProgressFn) -> Any:
    return await calls.call(
        tool.plugin_id, "execute", [tool.action, arguments], timeout=tool.timeout, on_progress=on_progress
    )


@contextlib.asynccontextmanager
async def _reporting(report: Report) -> AsyncIterator[ProgressFn]:
    """Takes progress as plugins report it, and passes it on in order; all of it before the block's end."""
    queue: asyncio.Queue[tuple[float | None, str] | None] = asyncio.Queue()
    sender = asyncio.create_task(_send_all(queue, report))
    try:
        yield lambda fraction, message, item: queue.put_nowait((fraction, message))
        queue.put_nowait(None)
        await sender
    finally:
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)


async def _send_all(queue: asyncio.Queue[tuple[float | None, str] | None], report: Report) -> None:
    reached = 0.0
    while (item := await queue.get()) is not None:
        fraction, message = item
        reached = max(reached + _LEAST_STEP, fraction or 0.0)
        await report(reached, 1.0 if fraction is not None else None, message or None)


def _answer(result: Any) -> types.CallToolResult:
    """The result as text, and as the structure that it is; pictures as pictures."""
    pictures: list[types.ContentBlock] = []
    if isinstance(result, dict) and isinstance(result.get("attachments"), list):
        pictures = [picture for each in result["attachments"] if (picture := _picture(each)) is not None]
    if pictures:
        result = result | {"attachments": [each for each in result["attachments"] if _picture(each) is None]}
    text = types.TextContent(type="text", text=result_text(result))
    structured = result if isinstance(result, dict) else None
    return types.CallToolResult(content=[text, *pictures], structured_content=structured)


def _picture(attachment: Any) -> types.ImageContent | None:
    if not isinstance(attachment, dict) or attachment.get("kind") != "image":
        return None
    data, media_type = attachment.get("data"), attachment.get("media_type")
    if not isinstance(data, str) or not isinstance(media_type, str):
        return None
    return types.ImageContent(type="image", data=data, mime_type=media_type)
