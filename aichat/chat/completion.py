"""Asking a model without HTTP: what a plugin's `context.chat` comes to. Middlewares look at it as at every request."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

from aichat.chat.errors import ChatError
from aichat.chat.pipeline import Pipeline
from aichat.chat.plan import ChatRequest, Plugins, split_model
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


async def complete(question: Question, registry: Registry, calls: Plugins) -> dict[str, Any]:
    """The answer, in OpenAI's chat completion shape. Tools in `params` are the caller's: their calls come back to it.

    Raises:
        ChatError: as for a chat, and `call_loop` when the model's plugin is the one that asks.
    """
    provider = split_model(question.model)[0]
    if provider in question.chain:
        path = " -> ".join((*question.chain, provider))
        raise ChatError("call_loop", f"The plugins call each other in a circle: {path}.")
    plan = make_plan(registry, {}, without=frozenset(question.chain))
    pipeline = Pipeline(plan, calls, _unheard, answer_id=f"chatcmpl-{uuid.uuid4().hex}")
    request = ChatRequest(question.model, question.messages, question.params, question.user)
    try:
        async with asyncio.timeout(question.timeout):
            return await pipeline.run(request)
    except TimeoutError:
        raise ChatError("deadline_exceeded", f"{question.model} had not answered when time was up.") from None


def _unheard(name: str, data: dict[str, Any]) -> None:
    """Nobody follows this answer while it is written."""
