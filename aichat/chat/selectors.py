"""Reading conversations: always through their user."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from aichat.chat.attachments import model_parts, with_parts
from aichat.chat.branches import Node, Tree
from aichat.chat.errors import ChatError
from aichat.chat.excerpts import excerpt
from aichat.chat.models import Attachment, Conversation, Message
from aichat.chat.search import Found, words_of

__all__ = [
    "Beginning",
    "Regeneration",
    "beginning",
    "branch",
    "conversation_find",
    "conversation_get",
    "conversation_list",
    "current_branch",
    "deleted_list",
    "found_messages",
    "history",
    "matches",
    "message_error",
    "message_get",
    "messages_of",
    "regeneration",
    "streaming_message",
    "tree_of",
]

_COUNT = Message.objects.filter(conversation=OuterRef("pk")).order_by().values("conversation")
_ATTACHED = Attachment.objects.order_by("created_at", "pk")


def conversation_list(*, user_id: int, archived: bool | None = False) -> QuerySet[Conversation]:
    """The user's conversations: pinned ones first, then the one last talked in. `archived` None means all."""
    conversations = _counted(Conversation.objects.filter(user_id=user_id, deleted_at=None))
    conversations = conversations.order_by("-pinned", "-updated_at", "pk")
    return conversations if archived is None else conversations.filter(archived=archived)


def conversation_find(*, conversations: QuerySet[Conversation], found: Sequence[Found]) -> list[Conversation]:
    """Those of `conversations` that were found, the best first."""
    known = conversations.in_bulk([one.conversation_id for one in found])
    return [known[one.conversation_id] for one in found if one.conversation_id in known]


def matches(*, found: Iterable[Found], query: str) -> dict[UUID, list[dict[str, Any]]]:
    """For each conversation that was found the messages with the words, and where they stand in them."""
    found, words = list(found), words_of(query)
    wanted = [key for one in found for key in one.message_ids]
    rows = {key: (role, text) for key, role, text in _texts(wanted)}
    return {
        one.conversation_id: [
            {"message_id": str(key), "role": rows[key][0], "excerpt": excerpt(rows[key][1], words)}
            for key in one.message_ids
            if key in rows
        ]
        for one in found
    }


def _texts(ids: Sequence[UUID]) -> Iterable[tuple[UUID, str, str]]:
    return Message.objects.filter(pk__in=ids).order_by().values_list("pk", "role", "content")


def found_messages(*, hits: Sequence[tuple[UUID, UUID | None]], query: str) -> list[dict[str, Any]]:
    """Each hit with what a plugin is told of it."""
    words = words_of(query)
    conversations = Conversation.objects.in_bulk([one for one, _ in hits])
    messages = Message.objects.in_bulk([key for _, key in hits if key is not None])
    return [_hit(conversations[one], messages.get(key) if key else None, words) for one, key in hits]


def _hit(conversation: Conversation, message: Message | None, words: Sequence[str]) -> dict[str, Any]:
    pieces = excerpt(message.content if message else conversation.title, words)
    return {
        "conversation_id": str(conversation.pk),
        "title": conversation.title,
        "message_id": str(message.pk) if message else None,
        "role": message.role if message else None,
        "excerpt": "".join(piece["text"] for piece in pieces),
        "created_at": (message or conversation).created_at.isoformat(),
    }


def deleted_list(*, user_id: int) -> QuerySet[Conversation]:
    """What the user deleted and can still restore, the latest first."""
    deleted = Conversation.objects.filter(user_id=user_id, deleted_at__isnull=False)
    return _counted(deleted).order_by("-deleted_at", "pk")


def _counted(conversations: QuerySet[Conversation]) -> QuerySet[Conversation]:
    return conversations.annotate(message_count=Coalesce(Subquery(_COUNT.annotate(n=Count("pk")).values("n")), 0))


def conversation_get(*, user_id: int, conversation_id: UUID | str, deleted: bool = False) -> Conversation:
    """One conversation of the user.

    Raises:
        ChatError: there is none, or it is someone else's; which of the two is not told.
    """
    conversations = Conversation.objects.filter(user_id=user_id, deleted_at__isnull=not deleted)
    conversation = _counted(conversations).filter(pk=conversation_id).first()
    if conversation is None:
        raise ChatError("conversation_not_found", "There is no such conversation among yours.")
    return conversation


def message_get(*, conversation: Conversation, message_id: UUID | str) -> Message:
    """One message of the conversation, in whatever branch.

    Raises:
        ChatError: it has none with this id.
    """
    message = conversation.messages.filter(pk=message_id).first()
    if message is None:
        raise ChatError("message_not_found", "There is no such message in this conversation.")
    return message


def tree_of(conversation: Conversation) -> Tree:
    """How the conversation's messages hang together."""
    rows = conversation.messages.order_by("position").values_list("pk", "parent_id", "position", "role")
    return Tree(Node(*row) for row in rows)


def messages_of(conversation: Conversation) -> list[Message]:
    """All messages of all branches."""
    return list(conversation.messages.order_by("position").prefetch_related(Prefetch("attachments", _ATTACHED)))


def branch(*, conversation: Conversation, tree: Tree, leaf_id: UUID | None) -> list[Message]:
    """The messages from the first one to `leaf_id`."""
    path = tree.path(leaf_id)
    messages = conversation.messages.all() if len(path) == len(tree) else conversation.messages.filter(pk__in=path)
    found = {message.pk: message for message in messages.prefetch_related(Prefetch("attachments", _ATTACHED))}
    return [found[key] for key in path if key in found]


def current_branch(*, conversation: Conversation) -> tuple[list[Message], dict[UUID, list[UUID]]]:
    """The messages of the current branch, and for each of them what stands beside it."""
    tree = tree_of(conversation)
    said = branch(conversation=conversation, tree=tree, leaf_id=tree.end(conversation.leaf_id))
    path = [message.pk for message in said]
    return said, dict(zip(path, tree.siblings(path), strict=True))


def history(*, conversation: Conversation, tree: Tree, leaf_id: UUID | None) -> list[dict[str, Any]]:
    """What a model is told of a branch: all that was said and did not fail, with what is attached."""
    said = [one for one in branch(conversation=conversation, tree=tree, leaf_id=leaf_id) if _is_sayable(one)]
    parts = model_parts(said)
    return [_to_openai(message, [parts[one.pk] for one in message.attachments.all()]) for message in said]


def _to_openai(message: Message, attached: Sequence[dict[str, Any]]) -> dict[str, Any]:
    data = message.to_openai()
    return data | {"content": with_parts(data["content"], attached)}


def _is_sayable(message: Message) -> bool:
    if message.status == Message.Status.COMPLETE:
        return True
    return message.status == Message.Status.CANCELLED and bool(message.content)


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a conversation began, and the model to ask about it."""

    conversation_id: UUID
    model: str
    question: str
    answer: str


def beginning(*, user_id: int, conversation_id: UUID | str) -> Beginning:
    """The first question of the current branch, and what was answered.

    Raises:
        ChatError: the conversation is not the user's, or nothing was said in it yet.
    """
    conversation = conversation_get(user_id=user_id, conversation_id=conversation_id)
    said, _ = current_branch(conversation=conversation)
    question = next((one.content for one in said if one.role == Message.Role.USER and one.content), "")
    answers = (one.content for one in said if one.role == Message.Role.ASSISTANT and one.content)
    if not question or not conversation.model:
        raise ChatError("invalid", "Nothing has been said yet that a title could be made of.")
    return Beginning(conversation.pk, conversation.model, question, next(answers, ""))


@dataclass(frozen=True, slots=True)
class Regeneration:
    """Where another answer goes, and the model that gave the one that is there."""

    parent_id: UUID
    model: str


def regeneration(*, user_id: int, conversation_id: UUID, message_id: UUID | None) -> Regeneration:
    """What is needed to answer again: the answer with `message_id`, or the last of the current branch.

    Raises:
        ChatError: the conversation or the message is not there, or the message answers nothing.
    """
    conversation = conversation_get(user_id=user_id, conversation_id=conversation_id)
    tree = tree_of(conversation)
    leaf_id = message_id or tree.end(conversation.leaf_id)
    if leaf_id is None or leaf_id not in tree:
        raise ChatError("message_not_found", "There is no such message in this conversation.")
    asked = tree.question_of(leaf_id)
    if asked is None:
        message = "This message answers nothing."
        raise ChatError("invalid", message, errors=[{"pointer": "/message_id", "message": message}])
    answer = message_get(conversation=conversation, message_id=leaf_id)
    return Regeneration(asked, answer.model or conversation.model)


def streaming_message(*, conversation: Conversation, message_id: UUID | str | None = None) -> Message | None:
    """The answer `message_id`, or the one under way."""
    if message_id is not None:
        return conversation.messages.filter(pk=message_id, role=Message.Role.ASSISTANT).first()
    streaming = conversation.messages.filter(status=Message.Status.STREAMING).order_by("-position")
    return next((message for message in streaming if message.is_running()), None)


def message_error(message: Message) -> dict[str, Any] | None:
    """Why an answer failed; one whose process died says so although nobody was left to write it down."""
    if message.status == Message.Status.STREAMING and not message.is_running(timezone.now()):
        return ChatError("interrupted", "The server stopped while it answered; ask again.").to_dict()
    return message.error
