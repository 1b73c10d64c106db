"""/mcp against a real database, by the official client over HTTP; only the plugins are in memory."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from django.contrib.auth import get_user_model
from django.db import connections
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from aichat.asgi import application
from aichat.chat.errors import ChatError
from aichat.chat.models import Conversation, Message
from aichat.chat.routes import close_chat, use_studio
from aichat.chat.studio import ChatStudio
from aichat.mcp.routes import close_mcp
from plugins_app.services.access import api_key_create
from tests.integration.test_chat_routes import add_plugin
from tests.studio import ROOT
from tests.unit.chat_fakes import FakePlugins

#: sse-starlette, which the SDK streams with, has a task for as long as an event loop lives.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.allow_leaks("task")]
Connect = Callable[..., AbstractAsyncContextManager[Client]]

ACTIONS = [
    {
        "name": "add",
        "title": "Add up",
        "description": "Adds numbers",
        "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
        "destructive": False,
    },
    {"name": "wipe", "description": "Deletes", "parameters": {}, "destructive": True},
    {"name": "fail", "description": "Fails", "parameters": {}, "destructive": False},
    {"name": "draw", "description": "Draws", "parameters": {}, "destructive": False},
    {"name": "hang", "description": "Waits", "parameters": {}, "destructive": False},
]


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """Close this thread's connection after the test: SQLite closes no descriptor of a file while another has locks."""
    yield
    connections.close_all()


class Tool(FakePlugins):
    """A tool plugin."""

    def __init__(self) -> None:
        super().__init__()
        self.hanging, self.cancelled = asyncio.Event(), asyncio.Event()

    async def call(
        self, plugin_id: str, method: str, args: Any, kwargs: Any = None, *, timeout: float, on_progress: Any = None
    ) -> Any:
        if method == "get_actions":
            return ACTIONS
        action, parameters = args
        if action == "fail":
            raise ChatError("plugin_error", "the disk is full")
        if action == "hang":
            self.hanging.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if action == "draw":
            return {"attachments": [{"kind": "image", "media_type": "image/png", "data": "iVBORw=="}], "text": "drawn"}
        if action == "add":
            on_progress(0.5, "half", None)
            on_progress(None, "more", None)
            return {"sum": parameters["a"] + parameters["b"]}
        return {"wiped": True}


@pytest.fixture
def key() -> tuple[Any, str]:
    """Somebody, and the text of his key; there is a tool for him."""
    add_plugin("sums", "tool")
    made, text = api_key_create(name="ada", role="user")
    return made.user, text


@pytest.fixture
def stored(key: tuple[Any, str]) -> tuple[str, str]:
    """A conversation of his, and one of somebody else."""
    mine = Conversation.objects.create(user=key[0], title="Mine")
    Message.objects.create(conversation=mine, role="user", content="How are you?", status="complete", position=1)
    other = get_user_model().objects.create_user("bob")
    return str(mine.pk), str(Conversation.objects.create(user=other, title="Not mine").pk)


@pytest.fixture
async def tool() -> Tool:
    return Tool()


@pytest.fixture
async def studio(key: tuple[Any, str], tool: Tool) -> AsyncIterator[list[Any]]:
    """The chat of this loop, with one tool plugin. What is returned are the users it was asked for."""
    users: list[Any] = []

    def calls(registry: Any, who: Any) -> Any:
        users.append(who)
        return tool

    use_studio(ChatStudio(calls))
    yield users
    await close_mcp()
    await close_chat()


@pytest.fixture
async def connect(studio: list[Any], key: tuple[Any, str]) -> AsyncIterator[Connect]:
    """Connects the official client, as the user, in either generation of the protocol."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve([listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"

        @asynccontextmanager
        async def connected(mode: str = "auto", bearer: str = key[1]) -> AsyncIterator[Client]:
            headers = {"Authorization": f"Bearer {bearer}"}
            async with (
                httpx2.AsyncClient(headers=headers, trust_env=False) as http,
                Client(streamable_http_client(url, http_client=http), mode=mode, cache=None) as client,
            ):
                yield client

        yield connected
        server.should_exit = True
        await task


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_tools_are_listed_and_called_as_the_user(
    mode: str, connect: Connect, studio: list[Any], key: tuple[Any, str]
) -> None:
    async with connect(mode) as client:
        assert client.server_info is not None and client.server_info.name == "ai-chat-studio"
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == {"sums__add", "sums__fail", "sums__draw", "sums__hang"}
        added = tools["sums__add"]
        assert (added.title, added.description) == ("Add up", "Adds numbers")
        assert added.input_schema["properties"].keys() == {"a", "b"}
        assert added.annotations is not None and added.annotations.destructive_hint is False

        heard: list[tuple[float, float | None, str | None]] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            heard.append((progress, total, message))

        result = await client.call_tool("sums__add", {"a": 2, "b": 40}, progress_callback=on_progress)
        assert (result.is_error, result.structured_content) == (False, {"sum": 42})
        assert [(total, message) for _, total, message in heard] == [(1.0, "half"), (None, "more")]
        assert heard[0][0] == 0.5 < heard[1][0]

        failed = await client.call_tool("sums__fail", {})
        assert failed.is_error and "the disk is full" in str(failed.content[0])
        drawn = await client.call_tool("sums__draw", {})
        assert [block.type for block in drawn.content] == ["text", "image"]
        with pytest.raises(MCPError, match="no tool 'sums__wipe'"):
            await client.call_tool("sums__wipe", {})
    assert {who["id"] for who in studio} == {key[0].pk}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_goes_away_cancels_its_call(mode: str, connect: Connect, tool: Tool) -> None:
    async with asyncio.timeout(20):
        async with connect(mode) as client:
            call = asyncio.create_task(client.call_tool("sums__hang", {}))
            await tool.hanging.wait()
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        await tool.cancelled.wait()


def test_a_studio_that_nobody_asks_over_mcp_does_not_import_it() -> None:
    code = "import sys, aichat.asgi; sys.exit(any(name.split('.')[0] in ('mcp', 'pydantic') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


async def test_destructive_tools_are_offered_where_that_is_set(connect: Connect, settings: Any) -> None:
    settings.STUDIO_MCP_DESTRUCTIVE = True
    async with connect() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["sums__wipe"].annotations is not None
        assert tools["sums__wipe"].annotations.destructive_hint is True
        assert (await client.call_tool("sums__wipe", {})).structured_content == {"wiped": True}


async def test_conversations_are_resources_of_their_user_only(connect: Connect, stored: tuple[str, str]) -> None:
    mine, others = stored
    async with connect() as client:
        listed = (await client.list_resources()).resources
        assert [(one.title, str(one.uri)) for one in listed] == [("Mine", f"studio://conversations/{mine}")]
        read = (await client.read_resource(f"studio://conversations/{mine}")).contents[0]
        assert '"title":"Mine"' in read.text  # type: ignore[union-attr]
        for uri in (f"studio://conversations/{others}", "studio://conversations/1", "file:///etc/passwd"):
            with pytest.raises(MCPError, match="There is no"):
                await client.read_resource(uri)
        assert len((await client.list_resource_templates()).resource_templates) == 1


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [("POST", {}, 401), ("POST", {"Authorization": "Bearer wrong"}, 401), ("GET", {}, 405), ("DELETE", {}, 405)],
)
async def test_nobody_gets_in_without_a_key(
    method: str, headers: dict[str, str], status: int, connect: Connect
) -> None:
    transport = httpx2.ASGITransport(app=application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.request(method, "/mcp", headers=headers, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
