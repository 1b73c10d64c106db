"""Having a model make a conversation's title. Middlewares look at it as at every request, with the purpose "title"."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from aichat.chat import selectors
from aichat.chat.completion import Question
from aichat.chat.errors import ChatError
from aichat.chat.services_conversations import conversation_retitle
from aichat.chat.threads import DatabaseThreads
from aichat.chat.titles import cleaned_title, first_words, title_request
from plugins_app.services.connections import DATABASE_AWAY

__all__ = ["title_after_answer", "title_anew"]

_log = logging.getLogger(__name__)
_TIMEOUT_S = 60.0
_MAX_TOKENS = 200  # a title needs ten; some models think before they answer

Complete = Callable[[Question], Awaitable[dict[str, Any]]]


async def title_after_answer(
    complete: Complete, threads: DatabaseThreads, user: dict[str, Any], conversation_id: str
) -> str | None:
    """Replace the first words by a title, if the user has not done so; None, and nothing changed, when that fails."""
    try:
        begun = await threads.run(selectors.beginning, user_id=user["id"], conversation_id=conversation_id)
        title = await _ask(complete, user, begun)
        if not title:
            return None
        taken = await threads.run(conversation_retitle, conversation_id=begun.conversation_id, title=title)
        return title if taken else None
    except (ChatError, *DATABASE_AWAY) as error:
        _log.info("the conversation %s keeps its first words as its title: %s", conversation_id, error)
    return None


async def title_anew(complete: Complete, threads: DatabaseThreads, user: dict[str, Any], conversation_id: UUID) -> str:
    """A title whatever there was before: a model's, or the first words when it makes none.

    Raises:
        ChatError: nothing was said yet, or the model cannot be asked.
    """
    begun = await threads.run(selectors.beginning, user_id=user["id"], conversation_id=conversation_id)
    title = await _ask(complete, user, begun) or first_words([{"role": "user", "content": begun.question}])
    await threads.run(conversation_retitle, conversation_id=conversation_id, title=title, force=True)
    return title


async def _ask(complete: Complete, user: dict[str, Any], begun: selectors.Beginning) -> str:
    question = Question(
        begun.model,
        title_request(begun.question, begun.answer),
        {"max_tokens": _MAX_TOKENS},
        user,
        timeout=_TIMEOUT_S,
        purpose="title",
        conversation_id=str(begun.conversation_id),
    )
    content = (await complete(question))["choices"][0]["message"].get("content")
    return cleaned_title(content) if isinstance(content, str) else ""
