"""A user's conversations as MCP resources: listed by title, read as the JSON that an export gets."""

from __future__ import annotations

from typing import Any

import mcp_types as types
import orjson

from aichat.chat import selectors
from aichat.chat.auth import ChatUser
from aichat.chat.errors import ChatError
from aichat.chat.reading import UserConversations
from aichat.chat.studio import ChatStudio

__all__ = ["Conversations"]

_PREFIX = "studio://conversations/"
_PAGE = 50


class Conversations:
    """Only what belongs to the user who asks."""

    template = types.ResourceTemplate(
        name="conversation",
        title="Conversation",
        uri_template=f"{_PREFIX}{{id}}",
        description="One conversation: its messages and what is known of them",
        mime_type="application/json",
    )

    def __init__(self, studio: ChatStudio) -> None:
        self._studio = studio

    async def list(self, user: ChatUser, cursor: str | None) -> types.ListResourcesResult:
        """A page of them, the one last talked in first.

        Raises:
            ChatError: the cursor is none.
        """
        if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):
            raise ChatError("invalid", "The cursor is none that this server gave.")
        start = int(cursor or 0)
        rows = await self._studio.threads.run(_page, user.id, start)
        following = str(start + _PAGE) if len(rows) > _PAGE else None
        return types.ListResourcesResult(resources=[_resource(row) for row in rows[:_PAGE]], next_cursor=following)

    async def read(self, user: ChatUser, uri: str) -> types.ReadResourceResult:
        """One of them.

        Raises:
            ChatError: the user has none of this address.
        """
        if not uri.startswith(_PREFIX):
            raise ChatError("not_found", f"There is no resource {uri!r}.")
        get = UserConversations().get
        data = await self._studio.threads.run(get, user_id=user.id, conversation_id=uri.removeprefix(_PREFIX))
        text = orjson.dumps(data, default=str).decode()
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=uri, mime_type="application/json", text=text)]
        )


def _page(user_id: int, start: int) -> list[dict[str, Any]]:
    found = selectors.conversation_list(user_id=user_id, archived=None)[start : start + _PAGE + 1]
    return [{"id": one.pk, "title": one.title, "updated_at": one.updated_at} for one in found]


def _resource(row: dict[str, Any]) -> types.Resource:
    title = row["title"] or "Untitled"
    return types.Resource(
        name=title,
        title=title,
        uri=f"{_PREFIX}{row['id']}",
        mime_type="application/json",
        description=f"Last talked in {row['updated_at']:%Y-%m-%d %H:%M} UTC",
    )
