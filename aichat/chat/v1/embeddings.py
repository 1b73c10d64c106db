"""`POST /v1/embeddings`."""

from __future__ import annotations

import base64
import struct
import uuid
from typing import Any

import orjson

from aichat.chat.auth import ChatUser
from aichat.chat.errors import ChatError
from aichat.chat.exchange import Exchange
from aichat.chat.plan import ChatRequest
from aichat.chat.studio import ChatStudio
from aichat.chat.v1.bodies import EmbeddingOrder, read_embed
from aichat.chat.v1.connection import Client

__all__ = ["embed"]

_ABSENT = frozenset({"method_not_found", "method_undeclared"})


async def embed(studio: ChatStudio, user: ChatUser, raw: bytes, client: Client) -> None:
    """Answer with the vectors of texts.

    Raises:
        ChatError: there is no such model, it has no vectors, or a middleware refuses.
    """
    order = read_embed(raw)
    facts = user.to_dict()
    plan, calls = await studio.plan_for(order.model, facts)
    messages = [{"role": "user", "content": text} for text in order.texts]
    request = ChatRequest(order.model, messages, order.params, facts, None, "v1", f"embd-{uuid.uuid4().hex}")
    exchange = Exchange(plan, calls, request, studio.afterwards)
    try:
        found = await exchange.vectors(len(order.texts))
    except ChatError as error:
        if error.code in _ABSENT:
            raise ChatError("embeddings_unsupported", f"{order.model} makes no embeddings.", status=400) from error
        raise
    await client.answer(orjson.dumps(_listed(exchange.request.model, found, order)))


def _listed(model: str, found: dict[str, Any], order: EmbeddingOrder) -> dict[str, Any]:
    usage = found.get("usage") or {}
    prompt = int(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if order.base64 else vector}
        for index, vector in enumerate(found["data"])
    ]
    total = int(usage.get("total_tokens") or prompt)
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": prompt, "total_tokens": total}}


def _packed(vector: list[float]) -> str:
    """As OpenAI does it: little-endian single floats in Base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
