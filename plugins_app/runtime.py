"""The one wiring place: the clients of this process."""

from __future__ import annotations

import asyncio
import threading
from weakref import WeakKeyDictionary

from django.conf import settings

from plugins_app.client import AsyncClient, BlockingClient

__all__ = ["async_client", "blocking_client"]

_lock = threading.Lock()
_blocking: BlockingClient | None = None
_asyncio: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()


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
