"""Asking a model without HTTP: what a plugin's `context.chat` and the making of a title come to.

Middlewares look at it as at every request.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

from aichat.chat.afterwards import Afterwards
from aichat.chat.errors import ChatError
from aichat.chat.exchange import Exchange
from aichat.chat.plan import ChatRequest, Plugins, Pricing, Purpose, split_model
from aichat.chat.planning import make_plan
from plugins_app.selectors.registry import Registry

__all__ = ["Question", "complete"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a model, for whom, and by which plugins (`chain`, the first caller first)."""

    model: str
    messages: list[dict[str, Any]]
    params: dict[str, Any] = field(default_factory=dict)
    user: dict[str, Any] | None = None
    chain: tuple[str, ...] = ()
    timeout: float | None = None
    purpose: Purpose = "plugin"
    conversation_id: str | None = None


async def complete(
    question: Question,
    registry: Registry,
    calls: Plugins,
    *,
    pricing: Pricing | None = None,
    afterwards: Afterwards | None = None,
) -> dict[str, Any]:
    """The answer, in OpenAI's chat completion shape. Tools in `params` are the caller's: their calls come back to it.

    Raises:
        ChatError: as for a chat, and `call_loop` when the model's plugin is the one that asks.
    """
    provider = split_model(question.model)[0]
    if provider in question.chain:
        path = " -> ".join((*question.chain, provider))
        raise ChatError("call_loop", f"The plugins call each other in a circle: {path}.")
    plan = make_plan(registry, {}, without=frozenset(question.chain), pricing=pricing)
    request = ChatRequest(
        question.model,
        question.messages,
        question.params,
        question.user,
        question.conversation_id,
        question.purpose,
        f"chatcmpl-{uuid.uuid4().hex}",
    )
    try:
        async with asyncio.timeout(question.timeout):
            exchange = Exchange(plan, calls, request, afterwards or Afterwards())
            return await exchange.whole()
    except TimeoutError:
        raise ChatError("deadline_exceeded", f"{question.model} had not answered when time was up.") from None
