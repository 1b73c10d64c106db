"""Writing conversations: what is said, what is answered, and what the user does with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from aichat.chat import selectors
from aichat.chat.errors import ChatError
from aichat.chat.models import LEASE, Conversation, Message

__all__ = [
    "LEASE",
    "AnswerEnd",
    "AnswerStart",
    "answer_begin",
    "answer_cancel",
    "answer_finish",
    "answer_renew",
    "conversation_delete",
    "conversation_rename",
    "make_title",
]

_TITLE_LIMIT = 60


@dataclass(frozen=True, slots=True)
class AnswerStart:
    """A stored question and the place of its answer."""

    conversation_id: str
    user_message_id: str | None
    message_id: str
    messages: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class AnswerEnd:
    """How an answer ended. `transcript` are the rounds of tool calls before it."""

    status: Message.Status
    content: str
    reasoning: str = ""
    transcript: tuple[dict[str, Any], ...] = ()
    finish_reason: str = ""
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    duration_ms: float | None = None
    generation: int | None = None


@transaction.atomic
def answer_begin(
    *,
    user_id: int,
    conversation_id: UUID | str | None,
    messages: list[dict[str, Any]],
    model: str,
    answer_id: UUID | None = None,
) -> AnswerStart:
    """Store what was said, and a place for the answer. With an `answer_id` doing it again changes nothing.

    Raises:
        ChatError: the conversation is not the user's, or an answer is under way in it.
    """
    if answer_id is not None and (begun := Message.objects.filter(pk=answer_id).first()) is not None:
        return _begun(begun, len(messages))
    conversation = _conversation_for(user_id, conversation_id, messages)
    if selectors.streaming_message(conversation=conversation) is not None:
        raise ChatError("answer_running", "Wait for the answer that is under way, or cancel it.", retry_after=1)
    position = _next_position(conversation)
    said = [_message(conversation, position + offset, message) for offset, message in enumerate(messages)]
    answer = Message(
        id=answer_id or uuid4(),
        conversation=conversation,
        position=position + len(said),
        role=Message.Role.ASSISTANT,
        model=model,
        status=Message.Status.STREAMING,
        lease_until=timezone.now() + LEASE,
    )
    Message.objects.bulk_create([*said, answer])
    return _begun(answer, len(messages))


def _begun(answer: Message, said: int) -> AnswerStart:
    """What was stored: `said` messages, and the answer after them."""
    new = answer.conversation.messages.filter(position__range=(answer.position - said, answer.position - 1))
    asked = new.filter(role=Message.Role.USER).order_by("-position").first()
    return AnswerStart(
        str(answer.conversation_id),
        str(asked.pk) if asked else None,
        str(answer.pk),
        selectors.history(conversation=answer.conversation),
    )


def _conversation_for(user_id: int, conversation_id: UUID | str | None, messages: list[dict[str, Any]]) -> Conversation:
    """The user's conversation, locked until the transaction ends; or a new one."""
    if conversation_id is None:
        return Conversation.objects.create(user_id=user_id, title=make_title(messages))
    conversation = Conversation.objects.select_for_update().filter(user_id=user_id, pk=conversation_id).first()
    if conversation is None:
        raise ChatError("conversation_not_found", "There is no such conversation among yours.")
    conversation.updated_at = timezone.now()
    conversation.title = conversation.title or make_title(messages)
    conversation.save(update_fields=("updated_at", "title"))
    return conversation


def _next_position(conversation: Conversation) -> int:
    last = conversation.messages.aggregate(last=Max("position"))["last"]
    return 0 if last is None else last + 1


def _message(conversation: Conversation, position: int, data: dict[str, Any], **fields: Any) -> Message:
    content = data.get("content")
    return Message(
        conversation=conversation,
        position=position,
        role=data["role"],
        content=_text_of(content),
        parts=content if isinstance(content, list) else None,
        reasoning=data.get("reasoning_content") or "",
        tool_calls=data.get("tool_calls"),
        tool_call_id=data.get("tool_call_id") or "",
        name=data.get("name") or "",
        **fields,
    )


def _text_of(content: str | list[dict[str, Any]] | None) -> str:
    """The words of a message, without its pictures."""
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))
    return content or ""


def answer_renew(*, message_id: UUID | str) -> bool:
    """Say that the answer is still being written; return whether it is wanted any more."""
    answer = Message.objects.filter(pk=message_id, status=Message.Status.STREAMING)
    answer.update(lease_until=timezone.now() + LEASE)
    return answer.filter(cancel_requested=False).exists()


def answer_cancel(*, user_id: int, conversation_id: UUID | str) -> str:
    """Ask for the answer under way to end; return its message id. Whoever writes it sees the request.

    Raises:
        ChatError: the conversation is not the user's, or nothing is under way.
    """
    conversation = selectors.conversation_get(user_id=user_id, conversation_id=conversation_id)
    answer = selectors.streaming_message(conversation=conversation)
    if answer is None:
        raise ChatError("answer_not_running", "There is nothing to cancel: no answer is under way.")
    Message.objects.filter(pk=answer.pk).update(cancel_requested=True)
    return str(answer.pk)


@transaction.atomic
def answer_finish(*, message_id: UUID | str, end: AnswerEnd) -> bool:
    """Store the answer and the rounds before it, once; False when its conversation was deleted meanwhile."""
    answer = Message.objects.select_for_update().select_related("conversation").filter(pk=message_id).first()
    if answer is None or answer.status != Message.Status.STREAMING:
        return answer is not None
    first = answer.position
    answer.position = first + len(end.transcript)
    answer.status, answer.content, answer.reasoning = end.status, end.content, end.reasoning
    answer.finish_reason, answer.usage, answer.error = end.finish_reason, end.usage, end.error
    answer.duration_ms, answer.generation, answer.lease_until = end.duration_ms, end.generation, None
    answer.save()
    rounds = [
        _message(answer.conversation, first + offset, message, model=answer.model if _is_answer(message) else "")
        for offset, message in enumerate(end.transcript)
    ]
    Message.objects.bulk_create(rounds)
    Conversation.objects.filter(pk=answer.conversation_id).update(updated_at=timezone.now())
    return True


def _is_answer(message: dict[str, Any]) -> bool:
    return bool(message["role"] == Message.Role.ASSISTANT)


def conversation_rename(*, conversation: Conversation, title: str) -> Conversation:
    """Give a conversation the title its user wants."""
    conversation.title = title
    conversation.save(update_fields=("title",))
    return conversation


def conversation_delete(*, conversation: Conversation) -> None:
    """Delete a conversation with all that was said in it; an answer under way is cancelled by that."""
    conversation.delete()


def make_title(messages: list[dict[str, Any]]) -> str:
    """The first thing the user said, on one line, shortened at a word."""
    said = next((message for message in messages if message["role"] == Message.Role.USER), None)
    text = " ".join(_text_of(said["content"]).split()) if said else ""
    if len(text) <= _TITLE_LIMIT:
        return text
    head, space, _ = text[:_TITLE_LIMIT].rpartition(" ")
    return f"{head if space else text[: _TITLE_LIMIT - 1]}…"
