"""A real MCP server for the tests, over stdio or HTTP: `python probe_server.py [stdio | PORT]`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import mcp_types as types
from mcp.server.mcpserver import Context, Image, MCPServer

server = MCPServer("probe", version="1.2.3", instructions="For tests.")
cancelled: list[str] = []


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool(annotations=types.ToolAnnotations(read_only_hint=False, destructive_hint=True, title="Wipe it"))
def wipe(path: str) -> str:
    """Delete something."""
    return f"wiped {path}"


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def facts() -> dict[str, str | int]:
    """What this process is."""
    return {"pid": os.getpid(), "token": os.environ.get("PROBE_TOKEN", ""), "home": os.environ.get("HOME", "")}


@server.tool()
def names() -> list[str]:
    """The variables of this process."""
    return sorted(os.environ)


@server.tool()
def broken() -> str:
    """Always fails."""
    raise ValueError("the disk is full")


@server.tool()
def leave() -> str:
    """End the process at once."""
    os._exit(3)


@server.tool(structured_output=False)
def picture() -> Image:
    """A picture."""
    return Image(data=b"\x89PNG", format="png")


@server.tool()
async def count(steps: int, ctx: Context) -> str:
    """Report progress."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps, f"step {step + 1}")
    return "counted"


@server.tool()
async def hang(name: str) -> str:
    """Never answers; remembers that it was cancelled."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cancelled.append(name)
        raise
    return ""


@server.tool()
def were_cancelled() -> list[str]:
    """What was cancelled."""
    return cancelled


@server.tool()
async def grow(ctx: Context) -> str:
    """Add a tool while connected."""

    @server.tool()
    def sprout() -> str:
        """Was not there before."""
        return "green"

    await ctx.notify_tools_changed()
    return "grown"


@server.tool()
def spawn() -> int:
    """Start a program that outlives a careless server."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL).pid


@server.resource("probe://readme", mime_type="text/plain")
def readme() -> str:
    """About the probe."""
    return "Read me."


@server.resource("probe://item/{number}")
def item(number: str) -> str:
    """One of many."""
    return f"item {number}"


@server.prompt()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Say hello to {name}."


if __name__ == "__main__":
    if sys.argv[1:] in ([], ["stdio"]):
        server.run("stdio")
    elif sys.argv[2:] == ["sse"]:
        server.run("sse", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
