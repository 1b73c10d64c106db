"""One answer from start to stored end. It runs as a task of its own: readers come and go, it goes on."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import Any

from aichat.chat import services
from aichat.chat.errors import ChatError
from aichat.chat.live import LiveAnswer
from aichat.chat.models import Message
from aichat.chat.pipeline import Pipeline
from aichat.chat.plan import ChatRequest
from aichat.chat.relay import Relay
from aichat.chat.threads import DatabaseThreads
from plugins_app.services.connections import DATABASE_AWAY, patiently

__all__ = ["ANSWER_LIMIT_S", "AnswerRun"]

_log = logging.getLogger(__name__)

#: How long one answer may take with all its tools; each call in it has its own, shorter limit.
ANSWER_LIMIT_S = 1800.0
#: How long a whole answer waits for a database that is away.
_STORE_PATIENCE_S = 60.0
_RENEW_EVERY_S = services.LEASE.total_seconds() / 4

_INTERRUPTED = ChatError("interrupted", "The server is stopping; what was answered so far is kept.")
_TOO_LONG = ChatError("deadline_exceeded", f"The answer was not complete after {ANSWER_LIMIT_S:g} s.")


class AnswerRun:
    """Runs a pipeline, keeps its lease, relays its events, and stores how it ended."""

    def __init__(
        self, live: LiveAnswer, pipeline: Pipeline, request: ChatRequest, threads: DatabaseThreads, relay: Relay
    ) -> None:
        self.live = live
        self._pipeline = pipeline
        self._threads = threads
        self._relay = relay
        self._began = time.perf_counter()
        self._stopped_by: ChatError | None = None
        self.is_answered = False
        self._work = asyncio.create_task(pipeline.run(request), name=f"answer {live.message_id}")
        self.task = asyncio.create_task(self._run(), name=f"answer {live.message_id} to its end")

    def cancel(self, because: ChatError | None = None) -> None:
        """End the answer now, the provider's call with it: the user wants it so, or `because`."""
        if not self._work.done():
            self._stopped_by = because
            self._work.cancel()

    def interrupt(self) -> None:
        """End the answer because the server ends."""
        self.cancel(_INTERRUPTED)

    async def _run(self) -> None:
        renewing = asyncio.create_task(self._renew())
        relaying = asyncio.create_task(self._relay_events())
        try:
            await asyncio.wait({self._work}, timeout=ANSWER_LIMIT_S)
            self.cancel(_TOO_LONG)
            await asyncio.wait({self._work})
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        end = self._outcome()
        await self._end(end)
        await relaying
        self.is_answered = end.status == Message.Status.COMPLETE

    async def _end(self, end: services.AnswerEnd) -> None:
        """Store first: whoever has seen the last event finds the answer in the conversation."""
        try:
            store = partial(services.answer_finish, message_id=self.live.message_id, end=end)
            await self._threads.run(patiently, store, seconds=_STORE_PATIENCE_S)
        except Exception:  # noqa: BLE001 - whatever it is, those who listen must be told that it is over
            _log.exception("the answer %s could not be stored", self.live.message_id)
            failure = ChatError("internal_error", "The answer could not be stored.")
            self.live.emit("error", failure.to_dict())
        if end.error is not None:
            self.live.emit("error", end.error)
        else:
            self.live.emit("message.end", self._end_data(end))

    def _end_data(self, end: services.AnswerEnd) -> dict[str, Any]:
        data = {
            "message_id": self.live.message_id,
            "finish_reason": end.finish_reason,
            "usage": end.usage,
            "cost": end.cost,
            "duration_ms": end.duration_ms,
            "first_token_ms": end.first_token_ms,
            "generation": end.generation,
        }
        return data | ({"content": end.content} if self._pipeline.content_was_changed else {})

    def _outcome(self) -> services.AnswerEnd:
        if self._work.cancelled():
            return self._failed(self._stopped_by) if self._stopped_by else self._stored("cancelled", "cancelled")
        error = self._work.exception()
        if error is None:
            return self._stored("complete", self._work.result()["choices"][0].get("finish_reason") or "stop")
        if isinstance(error, ChatError):
            return self._failed(error)
        _log.error("the answer %s failed", self.live.message_id, exc_info=error)
        return self._failed(ChatError("internal_error", "The studio failed while it answered; its log says how."))

    def _failed(self, error: ChatError) -> services.AnswerEnd:
        return self._stored("error", "error", error.to_dict())

    def _stored(self, status: str, finish_reason: str, error: dict[str, Any] | None = None) -> services.AnswerEnd:
        pipeline = self._pipeline
        return services.AnswerEnd(
            Message.Status(status),
            pipeline.content,
            pipeline.reasoning,
            tuple(pipeline.transcript),
            finish_reason,
            pipeline.usage,
            error,
            round((time.perf_counter() - self._began) * 1000, 3),
            pipeline.generation,
            pipeline.cost,
            pipeline.first_token_ms,
        )

    async def _renew(self) -> None:
        """Keep the lease; see a cancellation or a deletion whose hint got lost."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            try:
                if not await self._threads.run(services.answer_renew, message_id=self.live.message_id):
                    self.cancel()
            except DATABASE_AWAY as error:
                _log.warning("the lease of the answer %s was not renewed: %s", self.live.message_id, error)

    async def _relay_events(self) -> None:
        async for batch in self.live.batches():
            if batch and not await self._relay.publish(self.live.message_id, batch):
                return
