"""Django behind ASGI with one thread hop per request.

Django's own handler hops to a thread several times for each request (each signal, each middleware, the view, the close)
and opens a thread and a database connection anew each time. Here the whole of it runs in one go in a pool of threads
that keep their connection; docs/decisions.md has the figures.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from typing import IO, Any, TypeVar

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.signals import request_started
from django.db import close_old_connections
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from aichat.chat.imports.reading import IMPORT_LIMIT
from plugins_app.api.problems import problem_response
from plugins_app.api.rendering import BODY_LIMIT
from plugins_app.api.uploads import UPLOAD_LIMIT
from plugins_app.services.errors import StudioError

__all__ = ["PooledDjango"]

_T = TypeVar("_T")

#: A waiting `load` or a long execution keeps its thread, so there are many; an idle one costs little.
THREADS = 128
#: How many pieces of a file, of 4 KiB, are worth a thread.
_READ_AT_ONCE = 64
#: Whose bodies may be larger than others, and the code when they are too large all the same.
_LARGE_BODIES = {
    "/api/plugins/install": ("package_too_large", UPLOAD_LIMIT),
    "/api/conversations/import": ("body_too_large", IMPORT_LIMIT + 2**16),
}


async def _chunks(receive: Any) -> AsyncIterator[bytes]:
    """The body as it comes."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _write(body: IO[bytes], chunk: bytes) -> None:
    try:
        body.write(chunk)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StudioError("disk_full", "There is no room on the disk for the body.") from error
        raise


def _too_large(code: str, limit: int) -> StudioError:
    return StudioError(code, f"The body may have {limit // 2**20} MiB at most.")


class PooledDjango(ASGIHandler):
    """The sync stack (middleware, views, signals) of one request, run whole in one thread."""

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="django")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    def close(self) -> None:
        """Let the threads end. Requests under way finish."""
        self._pool.shutdown(wait=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self.read_body_of(scope, receive)
        except RequestAborted:
            return
        except StudioError as error:
            await self.send_response(problem_response(error.code, error.detail, hint=error.hint), send)
            return
        with body:
            response = await self._in_thread(lambda: self._respond(scope, body))
            if response.streaming:
                await self._stream(response, receive, send)
            else:
                await self.send_response(response, send)

    async def read_body_of(self, scope: Any, receive: Any) -> IO[bytes]:
        """The body, from memory or disk. One that is too large is read to its end all the same, and not kept."""
        code, limit = _LARGE_BODIES.get(scope["path"].rstrip("/"), ("body_too_large", BODY_LIMIT + 1))
        left, too_large = limit, False  # what is just over the usual limit, the view tells
        with ExitStack() as stack:
            body = stack.enter_context(
                tempfile.SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE, dir=settings.FILE_UPLOAD_TEMP_DIR)
            )
            async for chunk in _chunks(receive):
                left -= len(chunk)
                too_large = left < 0
                if not too_large:
                    _write(body, chunk)
            if too_large:
                raise _too_large(code, limit)
            stack.pop_all()  # the caller closes it
        body.seek(0)
        return body

    def _respond(self, scope: Any, body: IO[bytes]) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=self.__class__, scope=scope)
        request, response = self.create_request(scope, body)
        if request is not None:
            response = self._answer(request)
        assert response is not None
        if response.streaming:
            close_old_connections()  # it ends much later, and in another thread
        else:
            response.close()  # what it holds is complete; this sends request_finished, in the right thread
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response._handler_class = self.__class__  # type: ignore[attr-defined]  # whom request_finished names as sender
        return response

    async def _stream(self, response: HttpResponseBase, receive: Any, send: Any) -> None:
        """Send piece by piece, until the end or until the client has gone."""
        async with ThreadSensitiveContext():
            if isinstance(response, StreamingHttpResponse) and not response.is_async:
                response.streaming_content = self._pieces(iter(response))
            gone = asyncio.ensure_future(receive())
            sending = asyncio.ensure_future(self.send_response(response, send))
            try:
                await asyncio.wait((gone, sending), return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                sending.cancel()
                outcome = (await asyncio.gather(gone, sending, return_exceptions=True))[1]
                await self._in_thread(response.close)
            if isinstance(outcome, Exception):
                raise outcome

    async def _pieces(self, content: Iterator[bytes]) -> AsyncIterator[bytes]:
        """What reads a file, read in a thread as it is sent; Django would warn, and have all of it in memory first."""
        while piece := await self._in_thread(lambda: b"".join(islice(content, _READ_AT_ONCE))):
            yield piece

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, work)
