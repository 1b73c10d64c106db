"""MCP in both directions, with the real system: a server as a sandboxed program, and the studio itself as a server."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import psutil
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.studio import Studio, wait_for

INSTALL_SECONDS = 180.0
SERVER = """
import os, subprocess, sys
from typing import Any
from mcp.server.mcpserver import MCPServer

server = MCPServer("sandboxed")

@server.tool()
def facts() -> dict[str, Any]:
    return {"pid": os.getpid(), "environ": sorted(os.environ), "token": os.environ.get("TOKEN")}

@server.tool()
def peek(path: str) -> str:
    try:
        return open(path).read()[:100]
    except OSError as error:
        return type(error).__name__

@server.tool()
def spawn() -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL).pid

server.run("stdio")
"""


async def test_the_studios_tools_are_called_by_the_official_client(studio: Studio) -> None:
    assert studio.http.post("/api/plugins/load", {"plugin_id": "calculator"}).status == 200
    for mode in ("auto", "legacy"):
        headers = {"Authorization": f"Bearer {studio.user_key}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False, timeout=30) as http,
            Client(streamable_http_client(f"{studio.url}/mcp", http_client=http), mode=mode) as client,
        ):
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"calculator__evaluate", "calculator__convert"} <= names
            result = await client.call_tool("calculator__evaluate", {"expression": "6*7"})
            assert result.structured_content is not None and result.structured_content["result"] == "42"
            wrong = await client.call_tool("calculator__evaluate", {"expression": "6*"})
            assert wrong.is_error
    assert studio.anonymous.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"}).status == 401


@pytest.fixture
def bridge(studio: Studio) -> Iterator[Studio]:
    """The plugin, loaded without servers: its packages are installed."""
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "mcp-bridge"}, timeout=INSTALL_SECONDS)
    assert answer.status in (200, 202), answer.text
    wait_for(lambda: _state(studio) not in ("installing", "loading"), INSTALL_SECONDS)
    assert _state(studio) == "active", studio.http.get("/api/plugins/mcp-bridge").text
    yield studio
    studio.http.post("/api/plugins/mcp-bridge/unload")
    studio.http.put("/api/plugins/mcp-bridge/config", {"config": {}})


def _state(studio: Studio) -> str:
    return str(studio.http.get("/api/plugins/mcp-bridge").json()["state"])


def _call(studio: Studio, action: str, **parameters: Any) -> Any:
    body = {"plugin_id": "mcp-bridge", "method": "execute", "args": [action, parameters]}
    return studio.http.post("/api/plugins/execute", body)


def _result(studio: Studio, action: str, **parameters: Any) -> Any:
    answer = _call(studio, action, **parameters)
    assert answer.status == 200, answer.text
    return answer.json()["result"]["structured"]


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_program_runs_sandboxed_and_ends_with_its_plugin(bridge: Studio) -> None:
    packages = next(bridge.data.glob("**/mcp/server/mcpserver")).parents[2]
    env = {"PYTHONPATH": str(packages), "TOKEN": "for the server only"}
    python = os.path.realpath(sys.executable)
    server = {"name": "box", "transport": "stdio", "command": python, "args": ["-c", SERVER], "env": env}
    config = {"servers": [server], "reconnect_s": 0.2}
    configure(bridge, config)
    facts = _result(bridge, "box__facts")
    assert not [name for name in facts["environ"] if name.startswith(("STUDIO", "DJANGO", "DATABASE", "REDIS"))]
    secret = bridge.data / "first-login.txt"
    assert secret.exists()
    assert _result(bridge, "box__peek", path=str(secret)) == {"result": "PermissionError"}
    left = _result(bridge, "box__spawn")["result"]
    assert _lives(facts["pid"]) and _lives(left)

    assert bridge.http.post("/api/plugins/mcp-bridge/reload").status == 200
    wait_for(lambda: not _lives(facts["pid"]) and not _lives(left), 30)
    connected(bridge)
    again, left = _result(bridge, "box__facts")["pid"], _result(bridge, "box__spawn")["result"]

    plugin = bridge.http.get("/api/plugins/mcp-bridge").json()
    os.kill(next(node["pid"] for node in plugin["nodes"] if node.get("pid")), signal.SIGKILL)
    wait_for(lambda: not _lives(again) and not _lives(left), 10)


def configure(studio: Studio, config: dict[str, Any]) -> None:
    """Give the plugin its server, and wait until it is connected."""
    answer = studio.http.put("/api/plugins/mcp-bridge/config", {"config": config})
    assert answer.status == 200, answer.text
    assert "for the server only" not in answer.text
    connected(studio)


def connected(studio: Studio) -> None:
    """Wait until the server is."""
    wait_for(lambda: _call(studio, "box__facts").status == 200, 60, lambda: _call(studio, "servers").text)
