"""How plugins read the conversations of the user who calls them: `plugins_app.runtime.set_conversation_reader`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aichat.chat import selectors
from aichat.chat.errors import ChatError
from aichat.chat.exportdata import export_data
from aichat.chat.search import search_messages

__all__ = ["UserConversations"]


class UserConversations:
    """Answers `context.conversations`; see `plugins_app.runtime.ConversationReader`."""

    def search(self, *, user_id: int, query: str, limit: int) -> list[dict[str, Any]]:
        """The titles and messages that have all the words, best first."""
        return selectors.found_messages(hits=search_messages(user_id=user_id, query=query, limit=limit), query=query)

    def get(self, *, user_id: int, conversation_id: str) -> dict[str, Any]:
        """A whole conversation.

        Raises:
            ChatError: the user has none with this id.
        """
        try:
            key = UUID(conversation_id)
        except ValueError:
            raise ChatError("conversation_not_found", "There is no such conversation among yours.") from None
        return export_data(conversation=selectors.conversation_get(user_id=user_id, conversation_id=key))
