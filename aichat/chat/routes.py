"""The chat's HTTP routes as raw ASGI, beside Django's handler: no middleware, no thread but for storing."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID
from weakref import WeakKeyDictionary

from django.utils.http import content_disposition_header

from aichat.chat.bodies import parse_approval_body, parse_chat_body, parse_regenerate_body
from aichat.chat.errors import ChatError
from aichat.chat.http import Receive, Scope, Send, header, read_body, send_file, send_json, send_problem, send_stream
from aichat.chat.live import LiveAnswer, parse_event_id
from aichat.chat.studio import ChatStudio
from plugins_app.services.connections import DATABASE_AWAY, database_trouble
from plugins_app.services.errors import StudioError

__all__ = ["chat_app", "close_chat", "current_studio", "is_chat_route", "use_studio"]

_log = logging.getLogger(__name__)
_studios: WeakKeyDictionary[asyncio.AbstractEventLoop, ChatStudio] = WeakKeyDictionary()

_Handler = Callable[[ChatStudio, Scope, Receive, Send, UUID | None], Awaitable[None]]
_UUID = r"(?P<id>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
_ROUTE = re.compile(
    rf"/api/(?:(?P<flat>chat|models)"
    rf"|conversations/{_UUID}/(?P<of>messages|regenerate|stream|cancel|title|export|approvals(?=/[^/]+/?$))"
    r"(?:(?<=approvals)/(?P<call>[^/]+))?)/?"
)


def is_chat_route(scope: Scope) -> bool:
    """Whether `chat_app` answers this path, with or without a slash at its end."""
    return _ROUTE.fullmatch(scope["path"]) is not None


async def chat_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    found = _ROUTE.fullmatch(scope["path"])
    if found is None:
        await send_problem(send, ChatError("not_found", "There is nothing here."))
        return
    method, handler = _HANDLERS[found["flat"] or found["of"]]
    if scope["method"] != method:
        allow = [(b"allow", method.encode())]
        await send_problem(send, ChatError("method_not_allowed", f"Only {method} is allowed here."), allow)
        return
    await _answer(handler, scope, receive, send, UUID(found["id"]) if found["id"] else None)


async def _answer(handler: _Handler, scope: Scope, receive: Receive, send: Send, conversation_id: UUID | None) -> None:
    watched = _Watched(send)
    try:
        await handler(current_studio(), scope, receive, watched, conversation_id)
    except StudioError as error:
        if watched.begun:  # in the middle of a file: breaking off is the only way left to say so
            _log.warning("%s %s broke off: %s: %s", scope["method"], scope["path"], error.code, error.detail)
            raise
        await send_problem(send, error)
    except DATABASE_AWAY as error:
        _log.warning("%s %s: the database cannot be used: %s", scope["method"], scope["path"], error)
        if watched.begun:
            raise
        await send_problem(send, database_trouble(error))
    except Exception:  # the last line: nothing above it, so the client must be told here, and the log must have it
        _log.exception("%s %s failed", scope["method"], scope["path"])
        if watched.begun:
            raise
        await send_problem(send, ChatError("internal_error", "The studio failed; its log says how."))


class _Watched:
    """A `send` that knows whether the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Any) -> None:
        self.begun = True
        await self._send(message)


def current_studio() -> ChatStudio:
    """The chat of the running event loop, made when first asked for."""
    return _studios.get(asyncio.get_running_loop()) or use_studio(ChatStudio())


def use_studio(studio: ChatStudio) -> ChatStudio:
    """Make `studio` the chat of the running event loop."""
    _studios[asyncio.get_running_loop()] = studio
    return studio


async def close_chat() -> None:
    """End the chat of the running event loop, if there is one."""
    studio = _studios.pop(asyncio.get_running_loop(), None)
    if studio is not None:
        await studio.close()


async def _models(studio: ChatStudio, scope: Scope, receive: Receive, send: Send, _: UUID | None) -> None:
    user = await studio.authenticator.user_of(scope)
    await send_json(send, 200, {"data": await studio.models(user)})


async def _chat(studio: ChatStudio, scope: Scope, receive: Receive, send: Send, conversation_id: UUID | None) -> None:
    user = await studio.authenticator.user_of(scope)
    _check_media_type(scope)
    body = parse_chat_body(await read_body(scope, receive))
    await _follow(receive, send, await studio.answer(user, body, conversation_id or body.conversation_id))


async def _regenerate(
    studio: ChatStudio, scope: Scope, receive: Receive, send: Send, conversation_id: UUID | None
) -> None:
    user = await studio.authenticator.user_of(scope)
    _check_media_type(scope)
    body = parse_regenerate_body(await read_body(scope, receive))
    await _follow(receive, send, await studio.regenerate(user, body, _required(conversation_id)))


async def _follow(receive: Receive, send: Send, live: LiveAnswer) -> None:
    where = [(b"content-location", f"/api/conversations/{live.conversation_id}".encode())]
    await send_stream(receive, send, live.follow(), where)


def _check_media_type(scope: Scope) -> None:
    media_type = header(scope, b"content-type").partition(";")[0].strip().lower()
    if media_type and media_type != "application/json":
        raise ChatError("unsupported_media_type", f"Send application/json, not {media_type}.")


async def _stream(studio: ChatStudio, scope: Scope, receive: Receive, send: Send, conversation_id: UUID | None) -> None:
    user = await studio.authenticator.user_of(scope)
    message_id, after = parse_event_id(header(scope, b"last-event-id"))
    events = await studio.resume(user, _required(conversation_id), message_id, after)
    if events is None:
        await send_json(send, 204, None)  # what makes a browser's EventSource stop asking
    else:
        await send_stream(receive, send, events)


async def _approve(
    studio: ChatStudio, scope: Scope, receive: Receive, send: Send, conversation_id: UUID | None
) -> None:
    user = await studio.authenticator.user_of(scope)
    _check_media_type(scope)
    body = parse_approval_body(await read_body(scope, receive))
    found = _ROUTE.fullmatch(scope["path"])
    call_id = found["call"] if found else ""
    await studio.decide(user, _required(conversation_id), call_id, body)
    await send_json(send, 200, {"id": call_id, "approve": body.approve, "remember": body.remember})


async def _cancel(studio: ChatStudio, scope: Scope, receive: Receive, send: Send, conversation_id: UUID | None) -> None:
    user = await studio.authenticator.user_of(scope)
    message_id = await studio.cancel(user, _required(conversation_id))
    await send_json(send, 202, {"message_id": message_id, "status": "cancelling"})


async def _title(studio: ChatStudio, scope: Scope, receive: Receive, send: Send, conversation_id: UUID | None) -> None:
    user = await studio.authenticator.user_of(scope)
    await send_json(send, 200, {"title": await studio.retitle(user, _required(conversation_id))})


async def _export(studio: ChatStudio, scope: Scope, receive: Receive, send: Send, conversation_id: UUID | None) -> None:
    user = await studio.authenticator.user_of(scope)
    plugin_id = parse_qs(scope["query_string"].decode("latin-1")).get("format", [""])[0]
    file = await studio.export(user, _required(conversation_id), plugin_id)
    disposition = content_disposition_header(as_attachment=True, filename=file.name) or "attachment"
    headers = [(b"content-type", file.media_type.encode()), (b"content-disposition", disposition.encode())]
    await send_file(receive, send, file.pieces, headers)


def _required(conversation_id: UUID | None) -> UUID:
    if conversation_id is None:
        raise ChatError("not_found", "There is nothing here.")
    return conversation_id


_HANDLERS: dict[str, tuple[str, _Handler]] = {
    "models": ("GET", _models),
    "chat": ("POST", _chat),
    "messages": ("POST", _chat),
    "regenerate": ("POST", _regenerate),
    "stream": ("GET", _stream),
    "cancel": ("POST", _cancel),
    "title": ("POST", _title),
    "export": ("GET", _export),
    "approvals": ("POST", _approve),
}
