"""Asking the user before a destructive tool is used. The database has the decision, Redis only makes it known faster.

So it may be made in any web process, and by whoever comes back to the conversation later.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from aichat.chat import selectors
from aichat.chat.errors import ChatError
from aichat.chat.models import ToolApproval
from aichat.chat.plan import Emit, Tool
from aichat.chat.threads import DatabaseThreads

__all__ = ["PATIENCE", "AnswerApprovals", "ApprovalBoard", "approval_decide"]

#: How long the user may think about it.
PATIENCE = timedelta(minutes=10)
#: How often the database is asked, for a decision whose hint got lost.
_LOOK_AGAIN_S = 2.0


class ApprovalBoard:
    """Who waits in this process for which answer's approvals."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Event] = {}

    def waiter(self, message_id: str) -> asyncio.Event:
        """Set whenever something was decided about this answer; to be cleared by those who wait."""
        return self._waiting.setdefault(message_id, asyncio.Event())

    def notify(self, message_id: str) -> None:
        """Wake those who wait for this answer's approvals. All look again, each takes its own."""
        if (waiter := self._waiting.pop(message_id, None)) is not None:
            waiter.set()


class AnswerApprovals:
    """Asks for one answer; see `tools.Approve`."""

    def __init__(self, message_id: str, emit: Emit, threads: DatabaseThreads, board: ApprovalBoard) -> None:
        self._message_id = message_id
        self._emit = emit
        self._threads = threads
        self._board = board

    async def __call__(self, tool: Tool, call_id: str, arguments: dict[str, Any]) -> None:
        """Return when the user allows it, now or for the whole conversation.

        Raises:
            ChatError: the user does not, or says nothing for too long.
        """
        until = timezone.now() + PATIENCE
        approved = await self._threads.run(_ask, self._message_id, call_id, tool, until)
        if approved is None:
            self._emit("tool.approval", _question(tool, call_id, arguments, until))
            approved = await self._decision(tool, call_id, until)
        if approved is None:
            raise ChatError("approval_denied", f"Nobody allowed {tool.name} within {PATIENCE.seconds // 60} minutes.")
        if not approved:
            raise ChatError("approval_denied", f"The user did not allow {tool.name}.")

    async def _decision(self, tool: Tool, call_id: str, until: datetime) -> bool | None:
        while timezone.now() < until:
            decided = self._board.waiter(self._message_id)  # before looking: nothing is missed between the two
            approved = await self._threads.run(_look, self._message_id, call_id, tool)
            if approved is not None:
                return approved
            left = min(_LOOK_AGAIN_S, (until - timezone.now()).total_seconds())
            try:
                async with asyncio.timeout(max(0.0, left)):
                    await decided.wait()
            except TimeoutError:
                continue
        return None


def _question(tool: Tool, call_id: str, arguments: dict[str, Any], until: datetime) -> dict[str, Any]:
    return {
        "id": call_id,
        "name": tool.name,
        "plugin_id": tool.plugin_id,
        "action": tool.action,
        "title": tool.title or tool.action,
        "arguments": arguments,
        "expires_at": until.isoformat(),
    }


def _ask(message_id: str, call_id: str, tool: Tool, until: datetime) -> bool | None:
    """Write the question down, or find what was decided about this tool for the whole conversation."""
    asked = ToolApproval.objects.filter(message_id=message_id, call_id=call_id).first()
    if asked is not None:
        return asked.approved
    if (known := _remembered(message_id, tool)) is not None:
        return known
    ToolApproval.objects.create(
        message_id=message_id, call_id=call_id, plugin_id=tool.plugin_id, action=tool.action, expires_at=until
    )
    return None


def _look(message_id: str, call_id: str, tool: Tool) -> bool | None:
    """What was decided about this call, or meanwhile about this tool."""
    approved = ToolApproval.objects.values_list("approved", flat=True).get(message_id=message_id, call_id=call_id)
    return approved if approved is not None else _remembered(message_id, tool)


def _remembered(message_id: str, tool: Tool) -> bool | None:
    """What holds for this tool in the whole conversation."""
    same = {"message__conversation__messages": message_id, "plugin_id": tool.plugin_id, "action": tool.action}
    known = ToolApproval.objects.filter(remembered=True, **same).order_by("-decided_at").first()
    return known.approved if known is not None else None


@transaction.atomic
def approval_decide(*, user_id: int, conversation_id: UUID, call_id: str, approve: bool, remember: bool) -> str:
    """Decide about a call that waits; return the id of its answer. Deciding the same again changes nothing.

    Raises:
        ChatError: the conversation is not the user's, or nothing waits for this decision.
    """
    conversation = selectors.conversation_get(user_id=user_id, conversation_id=conversation_id)
    calls = ToolApproval.objects.select_for_update(of=("self",)).select_related("message")
    asked = calls.filter(message__conversation=conversation, call_id=call_id).order_by("-expires_at").first()
    if asked is None or asked.approved not in (None, approve) or not _is_open(asked):
        raise ChatError("approval_not_found", "Nothing waits for this decision (any more).")
    if asked.approved is None:
        asked.approved, asked.remembered, asked.decided_at = approve, remember, timezone.now()
        asked.save(update_fields=("approved", "remembered", "decided_at"))
    return str(asked.message_id)


def _is_open(asked: ToolApproval) -> bool:
    return asked.approved is not None or (asked.message.is_running() and timezone.now() < asked.expires_at)
