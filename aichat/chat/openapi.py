"""The chat's raw routes in the OpenAPI document: drf-spectacular sees only Django's.

What is accepted is drawn from the types that check it (`bodies`), what is sent from the types below; a test holds a
real answer's events to them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from aichat.chat.bodies import ApprovalBody, ChatBody, RegenerateBody

__all__ = ["add_chat_routes"]

_REF = "#/components/schemas/{name}"


class ChatModel(Struct, kw_only=True):
    """A model that can be talked to."""

    id: str
    name: str
    description: str
    context_window: int | None
    max_tokens: int | None
    created: int
    kind: Literal["chat", "embedding"]
    capabilities: list[str]
    pricing: dict[str, Any] | None
    plugin_id: str


class ChatModels(Struct):
    """Every loaded provider's models."""

    data: list[ChatModel]


class Cancelling(Struct):
    """The answer that will end soon, with what it has."""

    message_id: UUID
    status: Literal["cancelling"]


class MadeTitle(Struct):
    """What the conversation is called now."""

    title: str


class ApprovalDecision(Struct):
    """What was decided about the call."""

    id: str
    approve: bool
    remember: bool


class MessageStart(Struct):
    """Where question and answer are stored."""

    conversation_id: UUID
    message_id: UUID
    user_message_id: UUID | None
    model: str
    generation: int | None


class TextDelta(Struct):
    """The next piece of text."""

    content: str


class ToolCallStart(Struct):
    """A tool is called; `plugin_id` and `action` are null when there is no such tool."""

    id: str
    name: str
    plugin_id: str | None
    action: str | None
    arguments: Any


class ToolCallApproval(Struct):
    """The tool is destructive: the answer waits until the user has decided, or the time is up."""

    id: str
    name: str
    plugin_id: str
    action: str
    title: str
    arguments: Any
    expires_at: datetime


class ToolCallProgress(Struct):
    """How far the tool is."""

    id: str
    fraction: float | None
    message: str | None


class ToolCallError(Struct):
    """Why the tool failed."""

    code: str
    detail: str


class ToolCallResult(Struct, omit_defaults=True):
    """What the tool returned, or why not."""

    id: str
    name: str
    result: Any = None
    error: ToolCallError | None = None


class TokenUsage(Struct):
    """What the provider counted."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class MessageEnd(Struct, omit_defaults=True, kw_only=True):
    """The answer is stored. `content`, when there, replaces the deltas."""

    message_id: UUID
    finish_reason: str | None
    usage: TokenUsage | None
    cost: float | None
    duration_ms: float | None
    first_token_ms: float | None
    generation: int | None
    content: str | None = None


class ChatFailure(Struct, omit_defaults=True):
    """Why there is no whole answer; `retry_after`, in seconds, is there when it is known."""

    code: str
    title: str
    detail: str
    status: int
    plugin_id: str | None = None
    retry_after: float | None = None


_EVENTS: dict[str, type[Struct]] = {
    "message.start": MessageStart,
    "delta": TextDelta,
    "reasoning": TextDelta,
    "tool.call": ToolCallStart,
    "tool.approval": ToolCallApproval,
    "tool.progress": ToolCallProgress,
    "tool.result": ToolCallResult,
    "message.end": MessageEnd,
    "error": ChatFailure,
}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_RESUME = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "the last event that arrived; without it, the answer under way from its start",
    "schema": {"type": "string"},
}
_FORMAT = {
    "name": "format",
    "in": "query",
    "required": True,
    "description": "the id of an export plugin",
    "schema": {"type": "string"},
}
_FILE = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "description": "the file, with the plugin's media type",
}
_BODY_PROBLEMS = {
    400: "json_malformed",
    404: "model_not_found, conversation_not_found, message_not_found",
    409: "answer_running, not_loaded",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid",
    503: "plugin_restarting, breaker_open",
}


def add_chat_routes(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular."""
    types = [
        ChatBody,
        RegenerateBody,
        ApprovalBody,
        ApprovalDecision,
        ChatModels,
        Cancelling,
        MadeTitle,
        *_EVENTS.values(),
    ]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    components = result["components"]["schemas"]
    clash = components.keys() & schemas.keys()
    assert not clash, f"two shapes in the OpenAPI document have the same name: {clash}"
    components.update({**schemas, "ChatEvent": {"oneOf": [_event(name) for name in _EVENTS]}})
    result["components"]["schemas"] = dict(sorted(components.items()))
    result["paths"] = dict(sorted({**result["paths"], **_paths()}.items()))
    return result


def _event(name: str) -> dict[str, Any]:
    """One server-sent event; `data` comes as JSON on one line."""
    data = {"$ref": _REF.format(name=_EVENTS[name].__name__)}
    properties = {"id": {"type": "string"}, "event": {"type": "string", "enum": [name]}, "data": data}
    return {"title": name, "type": "object", "properties": properties, "required": list(properties)}


def _paths() -> dict[str, Any]:
    answer = _content("text/event-stream", "ChatEvent", "the answer, event by event")
    again = {"200": answer, "204": {"description": "no answer is under way"}}
    cancelled = {"202": _json("Cancelling")}
    return {
        "/api/models": {"get": _operation("models_list", "Models to talk to", {"200": _json("ChatModels")})},
        "/api/chat": {"post": _asking("chat_create", "Say something, in a new conversation or a given one", answer)},
        "/api/conversations/{id}/messages": {
            "post": _asking("conversations_messages_create", "Say something in this conversation", answer, _ID),
        },
        "/api/conversations/{id}/regenerate": {
            "post": _asking(
                "conversations_regenerate_create",
                "Answer again, beside an answer that is there",
                answer,
                _ID,
                body="RegenerateBody",
            ),
        },
        "/api/conversations/{id}/stream": {
            "get": _operation(
                "conversations_stream_retrieve",
                "The answer under way, or the rest of it",
                again | _problems({404: "conversation_not_found"}),
                _ID,
                _RESUME,
            ),
        },
        "/api/conversations/{id}/approvals/{call_id}": {
            "post": _operation(
                "conversations_approvals_create",
                "Allow a destructive tool that waits, or not",
                {"200": _json("ApprovalDecision")}
                | _problems({404: "conversation_not_found, approval_not_found", 422: "invalid"}),
                _ID,
                {"name": "call_id", "in": "path", "required": True, "schema": {"type": "string"}},
            )
            | {"requestBody": _body("ApprovalBody")},
        },
        "/api/conversations/{id}/cancel": {
            "post": _operation(
                "conversations_cancel_create",
                "End the answer under way",
                cancelled | _problems({404: "conversation_not_found", 409: "answer_not_running"}),
                _ID,
            ),
        },
        "/api/conversations/{id}/title": {
            "post": _operation(
                "conversations_title_create",
                "Have the model make a title anew",
                {"200": _json("MadeTitle")} | _problems({404: "conversation_not_found", 422: "invalid"}),
                _ID,
            ),
        },
        "/api/conversations/{id}/export": {
            "get": _operation(
                "conversations_export_retrieve",
                "The conversation as a file, sent while it is made",
                {"200": _FILE} | _problems({404: "conversation_not_found, export_not_found", 502: "export_invalid"}),
                _ID,
                _FORMAT,
            ),
        },
    }


def _asking(
    name: str, summary: str, answer: dict[str, Any], *parameters: dict[str, Any], body: str = "ChatBody"
) -> dict[str, Any]:
    operation = _operation(name, summary, {"200": answer} | _problems(_BODY_PROBLEMS), *parameters)
    return operation | {"requestBody": _body(body, required=body == "ChatBody")}


def _body(name: str, *, required: bool = True) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}, "required": required}


def _operation(name: str, summary: str, answers: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["chat"],
        **({"parameters": list(parameters)} if parameters else {}),
        "security": [{"apiKey": []}, {"cookieAuth": []}],
        "responses": answers | _problems({401: "unauthenticated"}),
    }


def _problems(codes: dict[int, str]) -> dict[str, Any]:
    return {str(status): _content("application/problem+json", "Problem", code) for status, code in codes.items()}


def _json(schema: str) -> dict[str, Any]:
    return _content("application/json", schema, "")


def _content(media_type: str, schema: str, description: str) -> dict[str, Any]:
    return {"content": {media_type: {"schema": {"$ref": _REF.format(name=schema)}}}, "description": description}
