"""The one wiring place: the clients of this process."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from plugins_app.client import AsyncClient, BlockingClient

__all__ = [
    "ConversationReader",
    "ModelCaller",
    "async_client",
    "async_redis",
    "blocking_client",
    "close_async",
    "conversation_reader",
    "model_caller",
    "set_conversation_reader",
    "set_model_caller",
]

#: How long whoever needs Redis waits for it, in seconds.
_REDIS_TIMEOUT = 1.0


class ModelCaller(Protocol):
    """Answers a plugin's question to a model. The chat has it; the plugin system does not know the chat."""

    async def ask(
        self,
        model: str,
        messages: list[dict[str, Any]],
        params: dict[str, Any],
        *,
        user: dict[str, Any] | None,
        chain: tuple[str, ...],
        timeout: float | None,
    ) -> dict[str, Any]:
        """The answer in OpenAI's chat completion shape. Raises StudioError."""

    def ask_blocking(
        self,
        model: str,
        messages: list[dict[str, Any]],
        params: dict[str, Any],
        *,
        user: dict[str, Any] | None,
        chain: tuple[str, ...],
        timeout: float | None,
    ) -> dict[str, Any]:
        """The same from a thread that has no event loop."""


class ConversationReader(Protocol):
    """Reads one user's conversations for plugins. The chat has them; the plugin system does not know the chat."""

    def search(self, *, user_id: int, query: str, limit: int) -> list[dict[str, Any]]:
        """The messages that have all the words, best first."""

    def get(self, *, user_id: int, conversation_id: str) -> dict[str, Any]:
        """A whole conversation, as export plugins get it. Raises StudioError."""


_lock = threading.Lock()
_model_caller: ModelCaller | None = None
_conversation_reader: ConversationReader | None = None
_blocking: BlockingClient | None = None
_asyncio: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()
_redis: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


def blocking_client() -> BlockingClient:
    """The client for threads; one per process, made when first needed."""
    global _blocking
    with _lock:
        if _blocking is None:
            _blocking = BlockingClient(settings.STUDIO_RUN)
        return _blocking


def async_client() -> AsyncClient:
    """The client of the running event loop."""
    loop = asyncio.get_running_loop()
    with _lock:
        client = _asyncio.get(loop)
        if client is None:
            client = _asyncio[loop] = AsyncClient(settings.STUDIO_RUN)
        return client


def async_redis() -> redis.asyncio.Redis:
    """The running event loop's Redis. It tries nothing twice: what was sent may have been done."""
    loop = asyncio.get_running_loop()
    with _lock:
        client = _redis.get(loop)
        if client is None:
            client = _redis[loop] = redis.asyncio.Redis.from_url(
                settings.REDIS_URL,
                socket_timeout=_REDIS_TIMEOUT,
                socket_connect_timeout=_REDIS_TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        return client


async def close_async() -> None:
    """Close what the running event loop was given; a loop that ends is to do so."""
    loop = asyncio.get_running_loop()
    with _lock:
        client, connection = _asyncio.pop(loop, None), _redis.pop(loop, None)
    if client is not None:
        await client.close()
    if connection is not None:
        await connection.aclose()


def set_conversation_reader(reader: ConversationReader) -> None:
    """Say who reads conversations for plugins; done once, when the apps are ready."""
    global _conversation_reader
    _conversation_reader = reader


def conversation_reader() -> ConversationReader:
    """Whoever reads conversations for plugins."""
    if _conversation_reader is None:
        raise RuntimeError("no app has called set_conversation_reader")
    return _conversation_reader


def set_model_caller(caller: ModelCaller) -> None:
    """Say who answers plugins' questions to models; done once, when the apps are ready."""
    global _model_caller
    _model_caller = caller


def model_caller() -> ModelCaller:
    """Whoever answers plugins' questions to models."""
    if _model_caller is None:
        raise RuntimeError("no app has called set_model_caller")
    return _model_caller
