"""llama.cpp behind an asynchronous face: it generates in a thread, chunks arrive on the loop, leaving stops it."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .shapes import error_of

__all__ = ["Engine"]


class Engine:
    """One loaded model."""

    def __init__(self, *, weights: Path, threads: int, context_window: int, concurrency: int) -> None:
        self._server = _server(weights, threads, context_window)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="llama")
        self._stops: set[threading.Event] = set()

    async def stream(self, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of one answer. Ending the iteration early stops the generation at its next token."""
        loop, stop = asyncio.get_running_loop(), threading.Event()
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

        def deliver(chunk: dict[str, Any] | None) -> bool:
            loop.call_soon_threadsafe(queue.put_nowait, chunk)
            return stop.is_set()  # true makes llama.cpp stop

        work = self._pool.submit(self._generate, request, deliver, stop)
        self._stops.add(stop)
        try:
            while (chunk := await queue.get()) is not None:
                if "error" in chunk:
                    raise error_of(chunk["error"])
                yield chunk
            work.result()  # the thread has ended: this only raises what it raised
        finally:
            stop.set()
            self._stops.discard(stop)
            _retrieve(work)

    def _generate(self, request: dict[str, Any], deliver: Any, stop: threading.Event) -> None:
        try:
            if not stop.is_set():
                self._server.handle_chat_completions(request, deliver)
        finally:
            deliver(None)

    def close(self) -> None:
        """Stop what still generates and free the model. Blocks for as long as one token takes."""
        for stop in tuple(self._stops):
            stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        del self._server


def _server(weights: Path, threads: int, context_window: int) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = context_window
    params.n_parallel = 1  # slots would divide the context window between them
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = threads
        cpu.poll = 0  # threads that wait for each other sleep instead of spinning: others need the processor too
    params.cache_ram_mib = 128  # prompts kept for the next turn; llama.cpp's own default is 8 GiB
    params.ctx_shift = False  # too long is an error, not a conversation whose beginning is silently forgotten
    params.warmup = True  # a first token now, rather than a slow one in somebody's first answer
    params.verbosity = 1
    # It listens on the loopback interface whether we want it or not: nobody else shall know the key.
    params.ui = False
    params.endpoint_slots = False
    params.n_threads_http = 1
    params.api_keys = [secrets.token_urlsafe(32)]
    return xllamacpp.Server(params)


def _retrieve(work: Future[None]) -> None:
    """Take note of the thread's exception, so that nobody is told of one that nobody waits for any more."""
    work.add_done_callback(lambda done: None if done.cancelled() else done.exception())
