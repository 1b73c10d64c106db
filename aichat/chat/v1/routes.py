"""The paths under /v1: who asks, which handler, and what became of it. No thread, no query, no framework."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from aichat.chat.auth import ChatUser
from aichat.chat.errors import ChatError
from aichat.chat.http import Receive, Scope, Send, read_body
from aichat.chat.plan import model_not_found
from aichat.chat.routes import current_studio
from aichat.chat.studio import ChatStudio
from aichat.chat.v1.completions import complete_chat
from aichat.chat.v1.connection import Client
from aichat.chat.v1.embeddings import embed
from plugins_app.services.connections import DATABASE_AWAY, database_trouble
from plugins_app.services.errors import StudioError

__all__ = ["is_v1_route", "v1_app"]

#: Pictures come in the body, as data: URLs. What goes to a plugin has a limit of its own (`plugins_app.wire`).
BODY_LIMIT = 24 << 20
_PREFIX, _MODELS = "/v1/", "/v1/models/"
_log = logging.getLogger(__name__)

_Handler = Callable[[ChatStudio, ChatUser, bytes, Client], Awaitable[None]]


def is_v1_route(scope: Scope) -> bool:
    """Whether `v1_app` answers this path."""
    path: str = scope["path"]
    return path.startswith(_PREFIX) or path == "/v1"


async def v1_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    client = Client(receive, send, f"req_{random.getrandbits(128):032x}")
    try:
        await _answer(current_studio(), scope, receive, client)
    except StudioError as error:
        if error.code != "cancelled":
            await client.fail(error)
    except DATABASE_AWAY as error:
        _log.warning("%s %s: the database cannot be used: %s", scope["method"], scope["path"], error)
        await client.fail(database_trouble(error))
    except Exception:  # noqa: BLE001 - nothing is above it: the client must be told here, and the log must have it
        _log.exception("%s %s failed", scope["method"], scope["path"])
        await client.fail(ChatError("internal_error", "The studio failed; its log says how."))


async def _answer(studio: ChatStudio, scope: Scope, receive: Receive, client: Client) -> None:
    path: str = scope["path"]
    method, handler, rest = _find(path if path in _ROUTES else path.rstrip("/"))
    if scope["method"] != method:
        error = ChatError("method_not_allowed", f"{path} answers {method} only.")
        await client.fail(error, [(b"allow", method.encode())])
        return
    user = await studio.authenticator.user_of(scope)
    raw = await read_body(scope, receive, BODY_LIMIT) if method == "POST" else rest.encode()
    async with client:
        await handler(studio, user, raw, client)


def _find(path: str) -> tuple[str, _Handler, str]:
    found = _ROUTES.get(path)
    if found is not None:
        return *found, ""
    if path.startswith(_MODELS):
        return "GET", _model, path[len(_MODELS) :]
    raise ChatError("not_found", f"There is nothing at {path}; see /api/docs.")


async def _models(studio: ChatStudio, user: ChatUser, raw: bytes, client: Client) -> None:
    models = [_listed(model) for model in await studio.models(user)]
    await client.answer(orjson.dumps({"object": "list", "data": models}))


async def _model(studio: ChatStudio, user: ChatUser, raw: bytes, client: Client) -> None:
    wanted = raw.decode()
    found = next((model for model in await studio.models(user) if model["id"] == wanted), None)
    if found is None:
        raise model_not_found(wanted)
    await client.answer(orjson.dumps(_listed(found)))


def _listed(model: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's fields, and ours: clients leave alone what they do not know."""
    return model | {"object": "model", "created": model["created"], "owned_by": model["plugin_id"]}


_ROUTES: dict[str, tuple[str, _Handler]] = {
    "/v1/chat/completions": ("POST", complete_chat),
    "/v1/embeddings": ("POST", embed),
    "/v1/models": ("GET", _models),
}
