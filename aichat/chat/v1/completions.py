"""`POST /v1/chat/completions`."""

from __future__ import annotations

import random
import time
from contextlib import aclosing

import orjson

from aichat.chat.auth import ChatUser
from aichat.chat.errors import ChatError
from aichat.chat.exchange import Exchange
from aichat.chat.plan import ChatRequest
from aichat.chat.studio import ChatStudio
from aichat.chat.v1.bodies import CompletionOrder, read_chat
from aichat.chat.v1.connection import Client
from aichat.chat.v1.shapes import ChunkWriter, as_completion

__all__ = ["complete_chat"]


async def complete_chat(studio: ChatStudio, user: ChatUser, raw: bytes, client: Client) -> None:
    """Answer, streaming or not.

    Raises:
        ChatError: before the answer has begun.
    """
    order = read_chat(raw)
    await studio.pace.turn()
    exchange = await _exchange(studio, user, order)
    try:
        await _complete(studio, exchange, order, client)
    except ChatError as error:  # a middleware may have been unloaded a moment ago
        if exchange.asked or not await studio.recent.is_gone(error.plugin_id):
            raise
        await _complete(studio, await _exchange(studio, user, order), order, client)


async def _complete(studio: ChatStudio, exchange: Exchange, order: CompletionOrder, client: Client) -> None:
    if order.stream:
        with studio.pace.streaming():
            await _stream(exchange, order, client)
    else:
        response = as_completion(await exchange.whole(), legacy=order.legacy)
        await client.answer(orjson.dumps(response, default=str))


async def _exchange(studio: ChatStudio, user: ChatUser, order: CompletionOrder) -> Exchange:
    facts = user.to_dict()
    plan, calls = await studio.plan_for(order.model, facts)
    request_id = f"chatcmpl-{random.getrandbits(128):032x}"
    request = ChatRequest(order.model, order.messages, order.params, facts, None, "v1", request_id)
    return Exchange(plan, calls, request, studio.afterwards)


async def _stream(exchange: Exchange, order: CompletionOrder, client: Client) -> None:
    client.stream()
    writer: ChunkWriter | None = None
    async with aclosing(exchange.batches()) as batches:
        async for batch in batches:
            writer = writer or _writer(exchange, order)
            if data := writer.batch(batch):
                await client.write(data)
    await client.end((writer or _writer(exchange, order)).end())


def _writer(exchange: Exchange, order: CompletionOrder) -> ChunkWriter:
    """Made when the request is what middlewares made of it."""
    request = exchange.request
    return ChunkWriter(
        request.request_id, request.model, int(time.time()), include_usage=order.include_usage, legacy=order.legacy
    )
