"""Writing answers: what is said, a place for what is answered, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from aichat.chat import selectors
from aichat.chat.errors import ChatError
from aichat.chat.models import LEASE, Attachment, Conversation, Message
from aichat.chat.titles import first_words
from aichat.chat.values import storable

__all__ = [
    "HERE",
    "LEASE",
    "AnswerEnd",
    "AnswerStart",
    "Place",
    "answer_begin",
    "answer_cancel",
    "answer_finish",
    "answer_renew",
    "make_message",
]


class Place(Enum):
    """Where something is said when no message is named."""

    HERE = "at the end of the current branch"


HERE = Place.HERE


@dataclass(frozen=True, slots=True)
class AnswerStart:
    """A stored question and the place of its answer. `messages` are the branch, its system prompt first."""

    conversation_id: str
    user_message_id: str | None
    message_id: str
    messages: list[dict[str, Any]]
    params: dict[str, Any] = field(default_factory=dict)
    needs_title: bool = False


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
    cost: float | None = None
    first_token_ms: float | None = None


@transaction.atomic
def answer_begin(
    *,
    user_id: int,
    conversation_id: UUID | str | None,
    messages: list[dict[str, Any]],
    model: str,
    answer_id: UUID | None = None,
    parent_id: UUID | Place | None = HERE,
    attachments: Sequence[UUID] = (),
    system_prompt: str | None = None,
    params: dict[str, Any] | None = None,
) -> AnswerStart:
    """Store what was said, and a place for the answer. With an `answer_id` doing it again changes nothing.

    What is said after another message than the last begins a branch there; no messages at all asks for another answer.
    A new conversation keeps `system_prompt` and `params`, an old one is answered with them this time.

    Raises:
        ChatError: the conversation is not the user's, or an answer is under way in it.
    """
    begun = Message.objects.select_related("conversation").filter(pk=answer_id).first() if answer_id else None
    if begun is None:
        conversation = _conversation_for(user_id, conversation_id, messages, system_prompt, params)
        if selectors.streaming_message(conversation=conversation) is not None:
            raise ChatError("answer_running", "Wait for the answer that is under way, or cancel it.", retry_after=1)
        attached = _attachments_of(user_id, attachments)
        begun = _store(conversation, _parent(conversation, parent_id), messages, attached, model, answer_id or uuid4())
    return _begun(begun, system_prompt, params)


def _store(
    conversation: Conversation,
    parent: UUID | None,
    messages: list[dict[str, Any]],
    attached: Sequence[Attachment],
    model: str,
    answer_id: UUID,
) -> Message:
    """What was said, one after the other, and the answer's place as the conversation's new end."""
    position, said = _next_position(conversation), []
    for offset, data in enumerate(messages):
        said.append(make_message(conversation, data, parent_id=parent, position=position + offset))
        parent = said[-1].pk
    answer = Message(
        id=answer_id,
        conversation=conversation,
        parent_id=parent,
        position=position + len(said),
        role=Message.Role.ASSISTANT,
        model=model,
        status=Message.Status.STREAMING,
        lease_until=timezone.now() + LEASE,
    )
    Message.objects.bulk_create([*said, answer])
    asked = next((message for message in reversed(said) if message.role == Message.Role.USER), None)
    if asked is not None and attached:
        asked.attachments.set(attached)
    conversation.leaf, conversation.model, conversation.updated_at = answer, model, timezone.now()
    conversation.save(update_fields=("leaf", "model", "updated_at", "title"))
    return answer


def _begun(answer: Message, system_prompt: str | None, params: dict[str, Any] | None) -> AnswerStart:
    """What was stored, and what the model is to be told."""
    conversation = answer.conversation
    prompt = conversation.system_prompt if system_prompt is None else system_prompt
    tree = selectors.tree_of(conversation)
    said = selectors.history(conversation=conversation, tree=tree, leaf_id=answer.parent_id)
    is_first = all(message["role"] != Message.Role.ASSISTANT for message in said)
    return AnswerStart(
        str(conversation.pk),
        _text(tree.last_question(tree.path(answer.parent_id))),
        str(answer.pk),
        [*([{"role": "system", "content": prompt}] if prompt.strip() else []), *said],
        conversation.params | (params or {}),
        is_first and conversation.titled_by == Conversation.TitledBy.WORDS,
    )


def _text(key: UUID | None) -> str | None:
    return None if key is None else str(key)


def _conversation_for(
    user_id: int,
    conversation_id: UUID | str | None,
    messages: list[dict[str, Any]],
    system_prompt: str | None,
    params: dict[str, Any] | None,
) -> Conversation:
    """The user's conversation, locked until the transaction ends; or a new one."""
    if conversation_id is None:
        return Conversation.objects.create(
            user_id=user_id,
            title=first_words(messages),
            system_prompt=storable(system_prompt or ""),
            params=storable(params or {}),
        )
    mine = Conversation.objects.select_for_update().filter(user_id=user_id, deleted_at=None)
    conversation = mine.filter(pk=conversation_id).first()
    if conversation is None:
        raise ChatError("conversation_not_found", "There is no such conversation among yours.")
    conversation.title = conversation.title or first_words(messages)
    return conversation


def _parent(conversation: Conversation, parent_id: UUID | Place | None) -> UUID | None:
    """The message after which something is said; None for a new first message."""
    if isinstance(parent_id, Place):
        return conversation.leaf_id or selectors.tree_of(conversation).end(None)
    if parent_id is not None:
        selectors.message_get(conversation=conversation, message_id=parent_id)
    return parent_id


def _attachments_of(user_id: int, ids: Sequence[UUID]) -> list[Attachment]:
    """The user's attachments, in this order."""
    found = Attachment.objects.filter(user_id=user_id).in_bulk(list(ids))
    for index, key in enumerate(ids):
        if key not in found:
            message = f"There is no attachment {key} of yours."
            raise ChatError("invalid", message, errors=[{"pointer": f"/attachments/{index}", "message": message}])
    return [found[key] for key in dict.fromkeys(ids)]


def _next_position(conversation: Conversation) -> int:
    last = conversation.messages.aggregate(last=Max("position"))["last"]
    return 0 if last is None else last + 1


def make_message(conversation: Conversation, data: dict[str, Any], **fields: Any) -> Message:
    """A message in OpenAI's shape as a row that is still to be stored."""
    content = storable(data.get("content"))
    return Message(
        conversation=conversation,
        role=data["role"],
        content=_text_of(content),
        parts=content if isinstance(content, list) else None,
        reasoning=storable(data.get("reasoning_content") or ""),
        tool_calls=storable(data.get("tool_calls")),
        tool_call_id=storable(data.get("tool_call_id") or "")[:200],
        name=storable(data.get("name") or "")[:200],
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
    rounds = _rounds(answer, end.transcript)
    Message.objects.bulk_create(rounds)
    if rounds:
        answer.parent, answer.position = rounds[-1], answer.position + len(rounds)
    answer.status, answer.content, answer.reasoning = end.status, storable(end.content), storable(end.reasoning)
    answer.finish_reason = storable(end.finish_reason)[:32]
    answer.usage, answer.error = storable(end.usage), storable(_lasting(end.error))
    answer.duration_ms, answer.generation, answer.lease_until = end.duration_ms, end.generation, None
    answer.cost, answer.first_token_ms = end.cost, end.first_token_ms
    answer.save()
    Conversation.objects.filter(pk=answer.conversation_id).update(updated_at=timezone.now())
    return True


def _lasting(error: dict[str, Any] | None) -> dict[str, Any] | None:
    """What of an error is still true when somebody reads it later."""
    return error and {name: value for name, value in error.items() if name != "retry_after"}


def _rounds(answer: Message, transcript: Sequence[dict[str, Any]]) -> list[Message]:
    """The tool calls before the answer, between the question and it."""
    rounds: list[Message] = []
    parent_id = answer.parent_id
    for offset, data in enumerate(transcript):
        model = answer.model if data["role"] == Message.Role.ASSISTANT else ""
        one = make_message(
            answer.conversation, data, parent_id=parent_id, position=answer.position + offset, model=model
        )
        rounds.append(one)
        parent_id = one.pk
    return rounds
