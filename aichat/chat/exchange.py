"""One call of a provider with the middlewares around it: what chats, /v1, plugins' questions and titles are made of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from aichat.chat.afterwards import Afterwards
from aichat.chat.costs import cost_of, estimated_usage
from aichat.chat.errors import ChatError
from aichat.chat.middlewares import MiddlewareChain
from aichat.chat.parts import Collected, as_chunk, completion, counted
from aichat.chat.plan import ChatRequest, Plan, Plugins, Provider
from plugins_app.sdk.answers import chunk_problem, completion_problem

__all__ = ["Exchange"]

#: What of a message middlewares can change or take away chunk by chunk.
_SHOWN = frozenset({"content", "reasoning", "reasoning_content", "tool_calls"})


class Exchange:
    """Ask once, by `whole` or by `batches`.

    `request` is what the provider was `asked`, `response` what the middlewares made of its answer; what had come until
    a failure is in `so_far`.
    """

    def __init__(self, plan: Plan, plugins: Plugins, request: ChatRequest, afterwards: Afterwards) -> None:
        self._plan = plan
        self._plugins = plugins
        self._chain = MiddlewareChain(plan.middlewares, plugins)
        self._afterwards = afterwards
        self._began = time.perf_counter()
        self.asked = False
        self._answer: dict[str, Any] | None = None
        self._leaving: asyncio.Task[dict[str, Any]] | None = None
        self.request = request
        self.response: dict[str, Any] | None = None
        self.so_far = Collected()
        self.cost: float | None = None
        self.generation: int | None = None
        self.first_token_ms: float | None = None
        self.duration_ms = 0.0

    @property
    def usage(self) -> dict[str, Any] | None:
        """What the provider has counted."""
        return self.so_far.usage

    async def whole(self) -> dict[str, Any]:
        """The answer in one piece, in OpenAI's shape.

        Raises:
            ChatError: the provider, or a middleware that must not fail or refuses.
        """
        with self._to_its_end():
            known = await self._before()
            self._answer = response = known if known is not None else await self._ask_whole()
            self.so_far.usage = _usage_of(response)
            if self._chain.looks_at_chunks:
                response = await self._seen_as_chunk(response)
            return await self._after(response)

    async def vectors(self, count: int) -> dict[str, Any]:
        """The vectors of the request's `count` user messages, as the provider's `embed` returns them.

        Raises:
            ChatError: as above, or the provider makes no vectors.
        """
        with self._to_its_end():
            return await self._vectors(count)

    async def _vectors(self, count: int) -> dict[str, Any]:
        if await self._before() is not None:
            raise ChatError("refused", "A middleware answers itself, which is no vector.", status=400, refusal=True)
        texts = [message.get("content") for message in self.request.messages if message.get("role") == "user"]
        if len(texts) != count:
            raise ChatError("middleware_invalid", "A middleware changed how many texts there are.")
        provider, model = self._provider()
        found = await self._plugins.call(
            provider.plugin_id, "embed", [texts, model], self.request.params, timeout=provider.timeout
        )
        vectors = found.get("data") if isinstance(found, dict) else None
        if not isinstance(vectors, list) or len(vectors) != count:
            detail = f"The provider answered {count} texts with something else than {count} vectors."
            raise ChatError("provider_invalid", detail, plugin_id=provider.plugin_id)
        self.so_far.usage = _usage_of(found)
        answered = completion(self.request.request_id, self.request.model, {"role": "assistant", "content": ""}, None)
        await self._after(answered | {"usage": self.usage})
        return dict(found)

    async def batches(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        """The answer in chunks, as many at a time as have come; `response` is there after the last."""
        with self._to_its_end():
            known = await self._before()
            source = self._ask() if known is None else _one(as_chunk(known))
            async with aclosing(source):
                async for batch in source:
                    seen = await self._chain.chunks(batch)
                    for chunk in seen:
                        self._take(chunk)
                    if seen:
                        yield seen
            whole = completion(
                self.request.request_id, self.request.model, self.so_far.message(), self.so_far.finish_reason
            )
            await self._after(whole | {"usage": self.usage})

    async def _before(self) -> dict[str, Any] | None:
        self.request, known = await self._chain.before(self.request)
        if known is None:
            return None
        return _named(completion(self.request.request_id, "", {}, None) | known, self.request)

    def _provider(self) -> tuple[Provider, str]:
        """Who is asked now, and for which model of theirs."""
        found = self._plan.provider_of(self.request.model)
        self.asked = True
        return found

    async def _ask_whole(self) -> dict[str, Any]:
        provider, model = self._provider()
        arguments = [self.request.messages, model]
        answer = await self._plugins.call(
            provider.plugin_id, "chat_completion", arguments, self.request.params, timeout=provider.timeout
        )
        return _named(_completion(answer, provider), self.request)

    async def _ask(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        provider, model = self._provider()
        arguments = [self.request.messages, model]
        stream = self._plugins.stream(
            provider.plugin_id, "stream_completion", arguments, self.request.params, timeout=provider.timeout
        )
        async with stream:
            async for batch in stream.batches():
                self.generation = stream.generation
                if self._chain.looks_at_chunks:
                    for chunk in batch:
                        _check(chunk, provider)
                        chunk["id"] = self.request.request_id
                yield batch

    def _take(self, chunk: dict[str, Any]) -> None:
        self.so_far.add(chunk)
        if self.first_token_ms is None and (self.so_far.content or self.so_far.reasoning or self.so_far.calls):
            self.first_token_ms = self._elapsed_ms()

    async def _seen_as_chunk(self, response: dict[str, Any]) -> dict[str, Any]:
        """The response after middlewares that change an answer chunk by chunk: it is one large chunk to them."""
        collected = Collected()
        for chunk in await self._chain.chunks([as_chunk(response)]):
            collected.add(chunk)
        before = response["choices"][0]
        rest = {name: value for name, value in before["message"].items() if name not in _SHOWN}
        finish = collected.finish_reason or before.get("finish_reason")
        choice = before | {"message": rest | collected.message(), "finish_reason": finish}
        return response | {"choices": [choice, *response["choices"][1:]]}

    async def _after(self, response: dict[str, Any]) -> dict[str, Any]:
        self.cost = self._cost(self.usage)
        self.duration_ms = self._elapsed_ms()
        facts = self._facts(self.cost)
        if self._chain.minds_the_end:  # who counts shall have counted, also when the client leaves right now
            self._leaving = asyncio.create_task(self._chain.after(response, facts))
            self.response = await asyncio.shield(self._leaving)
        else:
            self.response = await self._chain.after(response, facts)
        return self.response

    def _cost(self, usage: dict[str, Any] | None) -> float | None:
        return cost_of(usage, self._plan.pricing(self.request.model) if self._plan.pricing and usage else None)

    def _facts(self, cost: float | None) -> dict[str, Any]:
        return {"request": self.request.facts(), "cost": cost, "duration_ms": self._elapsed_ms()}

    @contextmanager
    def _to_its_end(self) -> Iterator[None]:
        """Around the whole call. Middlewares are told of an early end, too, but nobody waits for that."""
        try:
            yield
        except BaseException as error:  # whatever ends it, a cancelled task as well
            if self.asked and (self._leaving is not None or self._chain.minds_the_end):
                self._afterwards.begin(self._tell(self._unfinished(error)), f"the end of {self.request.request_id}")
            else:
                self._chain.release()
            raise
        self._chain.release()

    async def _tell(self, response: dict[str, Any]) -> None:
        try:
            if self._leaving is not None:
                await asyncio.wait({self._leaving})
                if self._leaving.exception() is None:
                    return
            await self._chain.unfinished(response)
        finally:
            if self._leaving is not None:
                self._leaving.cancel()
            self._chain.release()

    def _unfinished(self, error: BaseException) -> dict[str, Any]:
        """What there is of the answer, and what is known or guessed of its cost."""
        failure = _failure(error)
        message = self._answer["choices"][0]["message"] if self._answer else self.so_far.message()
        usage = self.usage or self._guessed_usage(message, failure)
        finish = "error" if failure else "cancelled"
        response = completion(self.request.request_id, self.request.model, message, finish) | {"usage": usage}
        return response | self._facts(self._cost(usage)) | {"error": failure.to_dict() if failure else None}

    def _guessed_usage(self, message: dict[str, Any], failure: ChatError | None) -> dict[str, Any]:
        """A provider that failed before it said a word is taken to have used nothing, unless it ran out of time."""
        silent = self._answer is None and self.first_token_ms is None
        unused = silent and failure is not None and failure.code != "deadline_exceeded"
        return estimated_usage([] if unused else self.request.messages, message)

    def _elapsed_ms(self) -> float:
        return round((time.perf_counter() - self._began) * 1000, 3)


async def _one(chunk: dict[str, Any]) -> AsyncGenerator[list[dict[str, Any]], None]:
    yield [chunk]


def _failure(error: BaseException) -> ChatError | None:
    """What went wrong; nothing did when the call was only cancelled."""
    if isinstance(error, ChatError):
        return error
    is_cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
    return None if is_cancelled else ChatError("internal_error", "The studio failed; its log says how.")


def _named(response: dict[str, Any], request: ChatRequest) -> dict[str, Any]:
    return response | {"id": request.request_id, "object": "chat.completion", "model": request.model}


def _usage_of(response: dict[str, Any]) -> dict[str, Any] | None:
    response["usage"] = usage = counted(response.get("usage"))
    return usage


def _check(chunk: Any, provider: Provider) -> None:
    if problem := chunk_problem(chunk):
        raise ChatError("provider_invalid", f"The provider sent {problem}.", plugin_id=provider.plugin_id)


def _completion(answer: Any, provider: Provider) -> dict[str, Any]:
    if problem := completion_problem(answer):
        raise ChatError("provider_invalid", f"The provider answered with {problem}.", plugin_id=provider.plugin_id)
    return {"created": int(time.time()), **answer}
