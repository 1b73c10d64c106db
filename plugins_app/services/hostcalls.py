"""Answering what a plugin asks the studio during a call: only what it was granted, as the calling user."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import orjson
from asgiref.sync import sync_to_async

from plugins_app import runtime
from plugins_app.client import CallError, HostRequest

from .connections import PATIENCE, patiently, releasing_connection
from .counters import counter_add, counter_add_async
from .errors import StudioError
from .events import event_record
from .grants import Grants, grant_reader
from .storage import storage_add, storage_delete, storage_get, storage_list, storage_set

__all__ = ["HostCalls"]

_EVENT_LIMIT = 64 * 1024
_FOUND_LIMIT = 100
_OPERATIONS = {
    "storage.get": "host:storage",
    "storage.set": "host:storage",
    "storage.delete": "host:storage",
    "storage.list": "host:storage",
    "storage.add": "host:storage",
    "counters.add": "host:counters",
    "plugins.call": "host:plugins:{plugin_id}",
    "models.chat": "host:models",
    "events.emit": "host:events",
    "conversations.search": "host:conversations:read",
    "conversations.get": "host:conversations:read",
}


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of another plugin, checked and ready to be made."""

    plugin_id: str
    method: str
    kwargs: dict[str, Any]
    timeout: float | None
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    """A question to a model, checked: what is asked, and the user, chain and time it is asked with."""

    asked: tuple[str, list[dict[str, Any]], dict[str, Any]]
    circumstances: dict[str, Any]


class HostCalls:
    """Answers host requests: `answer` for threads and workers, `answer_async` on an event loop."""

    def answer(self, request: HostRequest) -> Any:
        """Do what is asked, blocking.

        Raises:
            StudioError: why not.
        """
        if not _is_known_to_be_granted(request):
            _check_permission(request)
        planned = _plan(request)
        if isinstance(planned, _Question):
            return runtime.model_caller().ask_blocking(*planned.asked, **planned.circumstances)
        if not isinstance(planned, _Call):
            return _answer_here(request)
        try:
            client = runtime.blocking_client()
            result = client.call(
                planned.plugin_id,
                planned.method,
                (),
                planned.kwargs,
                timeout=planned.timeout,
                user=request.user,
                chain=planned.chain,
                host=self.answer,
            )
        except CallError as error:
            raise _passed_on(planned.plugin_id, error) from error
        return result.value

    async def answer_async(self, request: HostRequest) -> Any:
        """The same without blocking the loop; for what needs no database, mostly without a thread, too."""
        if not _is_known_to_be_granted(request):
            await sync_to_async(_check_permission, thread_sensitive=False)(request)
        if request.operation == "counters.add":
            return await counter_add_async(plugin_id=request.plugin_id, **_counted(request))
        planned = _plan(request)
        if isinstance(planned, _Question):
            return await runtime.model_caller().ask(*planned.asked, **planned.circumstances)
        if not isinstance(planned, _Call):
            return await sync_to_async(_answer_here, thread_sensitive=False)(request)
        try:
            result = await runtime.async_client().call(
                planned.plugin_id,
                planned.method,
                (),
                planned.kwargs,
                timeout=planned.timeout,
                user=request.user,
                chain=planned.chain,
                host=self.answer_async,
            )
        except CallError as error:
            raise await sync_to_async(_passed_on, thread_sensitive=False)(planned.plugin_id, error) from error
        return result.value


@releasing_connection
def _passed_on(plugin_id: str, error: CallError) -> StudioError:
    from .calls import call_error  # calls uses this module to answer the plugins it calls

    return call_error(plugin_id, error)


def _plan(request: HostRequest) -> _Call | _Question | None:
    """What another plugin or a model has to answer; None for what is answered here."""
    payload = _payload(request)
    if request.operation == "plugins.call":
        return _call(request, _text(payload, "plugin_id"), _text(payload, "method"), payload.get("kwargs") or {})
    if request.operation == "models.chat":
        asked = (_text(payload, "model"), payload.get("messages") or [], payload.get("kwargs") or {})
        return _Question(asked, {"user": request.user, "chain": request.chain, "timeout": _time_left(request)})
    return None


def _is_known_to_be_granted(request: HostRequest) -> bool:
    grants = grant_reader().kept(request.plugin_id, request.generation)
    return grants is not None and _is_granted(request, grants)


@releasing_connection
def _check_permission(request: HostRequest) -> None:
    grants = grant_reader().read(request.plugin_id, request.generation, patience=_patience(request))
    if _is_granted(request, grants):
        return
    detail = f"{request.plugin_id} may not use {request.operation}: {_needed(request)} is not granted."
    hint = "Ask for it under [permissions] in plugin.toml, and let an operator grant it."
    if request.operation == "plugins.call":
        other = _other(request)
        hint = f"Name {other} under [dependencies] in plugin.toml, or ask for the permission and have it granted."
    raise StudioError("permission_denied", detail, hint=hint)


def _is_granted(request: HostRequest, grants: Grants) -> bool:
    """To depend on a plugin, even optionally, is to call it: that needs no permission of its own."""
    depends = request.operation == "plugins.call" and _other(request) in grants.dependencies
    return depends or _needed(request) in grants.permissions


def _needed(request: HostRequest) -> str:
    pattern = _OPERATIONS.get(request.operation)
    if pattern is None:
        raise StudioError("permission_denied", f"The studio has no operation {request.operation}.")
    return pattern.format(plugin_id=_other(request))


def _other(request: HostRequest) -> str:
    return str(_payload(request).get("plugin_id", ""))


def _payload(request: HostRequest) -> dict[str, Any]:
    return request.payload if isinstance(request.payload, dict) else {}


def _call(request: HostRequest, plugin_id: str, method: str, kwargs: dict[str, Any]) -> _Call:
    if plugin_id in request.chain:
        path = [*request.chain, plugin_id]
        detail = f"The plugins call each other in a circle: {' -> '.join(path)}."
        raise StudioError("call_loop", detail, extra={"path": path})
    return _Call(plugin_id, method, kwargs, _time_left(request), request.chain)


def _time_left(request: HostRequest) -> float | None:
    left = None if math.isinf(request.deadline) else request.deadline - time.monotonic()
    if left is not None and left <= 0:
        raise StudioError("deadline_exceeded", f"No time is left for {request.operation} of {request.plugin_id}.")
    return left


def _text(payload: dict[str, Any], key: str) -> str:
    value = payload.get(key)
    if not isinstance(value, str) or not value:
        raise StudioError("arguments_invalid", f"{key} must be a non-empty string.")
    return value


def _counted(request: HostRequest) -> dict[str, Any]:
    payload = _payload(request)
    return {"name": payload.get("name"), "amount": payload.get("amount", 1), "window_s": payload.get("window_s", 60)}


@releasing_connection
def _answer_here(request: HostRequest) -> Any:
    if request.operation == "counters.add":
        return counter_add(plugin_id=request.plugin_id, **_counted(request))
    if request.operation == "events.emit":
        payload = request.payload
        return _emit(request.plugin_id, _text(payload, "event"), payload.get("data") or {})
    if request.operation.startswith("conversations."):
        return patiently(lambda: _read_conversations(request), seconds=_patience(request))
    # Twice is the same as once, and `storage_add` does again only what was not done.
    return patiently(lambda: _use_storage(request), seconds=_patience(request))


def _read_conversations(request: HostRequest) -> Any:
    """The calling user's own, whoever's plugin it is."""
    if request.user is None:
        raise StudioError("permission_denied", f"{request.operation}: nobody's conversations, for no user calls.")
    payload, user_id, reader = _payload(request), int(request.user["id"]), runtime.conversation_reader()
    if request.operation == "conversations.get":
        return reader.get(user_id=user_id, conversation_id=_text(payload, "conversation_id"))
    limit = payload.get("limit", 10)
    if not isinstance(limit, int) or not 1 <= limit <= _FOUND_LIMIT:
        raise StudioError("arguments_invalid", f"limit must be a whole number from 1 to {_FOUND_LIMIT}.")
    return reader.search(user_id=user_id, query=_text(payload, "query"), limit=limit)


def _patience(request: HostRequest) -> float:
    return max(0.0, min(PATIENCE, request.deadline - time.monotonic()))


def _use_storage(request: HostRequest) -> Any:
    payload, plugin_id = request.payload, request.plugin_id
    if request.operation == "storage.get":
        return storage_get(plugin_id=plugin_id, key=_text(payload, "key"))
    if request.operation == "storage.set":
        return storage_set(plugin_id=plugin_id, key=_text(payload, "key"), value=payload.get("value"))
    if request.operation == "storage.add":
        return storage_add(plugin_id=plugin_id, key=_text(payload, "key"), amount=payload.get("amount", 0))
    if request.operation == "storage.delete":
        return storage_delete(plugin_id=plugin_id, key=_text(payload, "key"))
    return storage_list(plugin_id=plugin_id, prefix=str(payload.get("prefix") or ""))


def _emit(plugin_id: str, event: str, data: Any) -> None:
    """Record a plugin's own event under its own name, so that it can never pass for one of the studio's."""
    if not isinstance(data, dict) or len(orjson.dumps(data, default=str)) > _EVENT_LIMIT:
        raise StudioError("arguments_invalid", f"An event's data is an object of at most {_EVENT_LIMIT} bytes.")
    event_record(
        event=f"{plugin_id}:{event}"[:64], plugin_id=plugin_id, data=orjson.loads(orjson.dumps(data, default=str))
    )
