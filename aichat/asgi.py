"""The web server's entry: streaming routes as raw ASGI, everything else through Django in one thread hop."""

from __future__ import annotations

import gc
import os
from typing import Any

import django
import jsonschema  # noqa: F401 - takes a while to import: not while somebody waits

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aichat.settings")
django.setup(set_prefix=False)

import aichat.urls  # noqa: E402, F401 - as above, and needs the apps
from aichat.chat.http import Receive, Scope, Send  # noqa: E402
from aichat.chat.routes import chat_app, close_chat, is_chat_route  # noqa: E402 - needs the apps
from aichat.chat.v1.routes import is_v1_route, v1_app  # noqa: E402 - needs the apps
from aichat.handler import PooledDjango  # noqa: E402 - needs the apps
from aichat.mcp.routes import close_mcp, is_mcp_route, mcp_app  # noqa: E402 - needs the apps
from plugins_app import runtime  # noqa: E402

_django: Any = PooledDjango()  # its stubs know narrower types for scope and send than the servers have

#: New containers before each generation of garbage is looked at. A request makes hundreds, hardly any in cycles.
_COLLECT_AFTER = (50_000, 20, 20)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Route one connection."""
    if scope["type"] == "http" and is_v1_route(scope):
        await v1_app(scope, receive, send)
    elif scope["type"] == "http" and is_chat_route(scope):
        await chat_app(scope, receive, send)
    elif scope["type"] == "http" and is_mcp_route(scope):
        await mcp_app(scope, receive, send)
    elif scope["type"] == "http":
        await _django(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            # What is there now stays: a collection that looks through all of Django holds up every request for 0.1 s.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_COLLECT_AFTER)
        if message["type"] == "lifespan.shutdown":
            await close_mcp()
            await close_chat()
            await runtime.close_async()
            _django.close()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
