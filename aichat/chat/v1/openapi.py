"""The OpenAI-compatible routes in the OpenAPI document. What is accepted is drawn from the types that check it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from aichat.chat.v1.bodies import ChatCompletionRequest, EmbeddingRequest

__all__ = ["add_v1_routes"]

_REF = "#/components/schemas/{name}"


class V1Model(Struct):
    """A model; `id` is `<plugin>/<model>`."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class V1Models(Struct):
    """Every loaded provider's models."""

    object: Literal["list"]
    data: list[V1Model]


class V1Choice(Struct):
    """The answer: `message` has `role`, `content` and, where the model calls functions, `tool_calls`."""

    index: int
    message: dict[str, Any]
    finish_reason: str


class ChatCompletion(Struct, omit_defaults=True):
    """The whole answer; what else the provider says is passed on."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[V1Choice]
    usage: dict[str, Any] | None = None


class V1ChunkChoice(Struct):
    """A piece of the answer."""

    index: int
    delta: dict[str, Any]
    finish_reason: str | None


class ChatCompletionChunk(Struct, omit_defaults=True):
    """One event of a stream. After the last comes `data: [DONE]`."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[V1ChunkChoice]
    usage: dict[str, Any] | None = None


class V1Embedding(Struct):
    """The vector of one text: numbers, or single floats packed in Base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class V1Embeddings(Struct):
    """The vectors, in the order of the texts."""

    object: Literal["list"]
    data: list[V1Embedding]
    model: str
    usage: dict[str, int]


class V1ErrorBody(Struct):
    """What went wrong; `code` is stable."""

    message: str
    type: str
    param: str | None
    code: str


class V1Error(Struct):
    """An error in OpenAI's shape."""

    error: V1ErrorBody


_ERRORS = {
    400: "a field cannot be; `param` names it",
    401: "the API key is missing or wrong",
    403: "a plugin refuses",
    404: "there is no such model",
    413: "the body is too large",
    429: "a plugin refuses for now, see `Retry-After`",
    502: "the provider or a middleware failed",
    503: "not now, see `Retry-After`",
    504: "the provider's time was up",
}


def add_v1_routes(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular."""
    answers = [V1Models, ChatCompletion, ChatCompletionChunk, V1Embeddings, V1Error]
    _, schemas = msgspec.json.schema_components([ChatCompletionRequest, EmbeddingRequest, *answers], ref_template=_REF)
    result["components"]["schemas"] = dict(sorted({**result["components"]["schemas"], **schemas}.items()))
    result["paths"] = dict(sorted({**result["paths"], **_paths()}.items()))
    return result


def _paths() -> dict[str, Any]:
    name = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    completion = _content("application/json", "ChatCompletion", "the answer")
    completion["content"] |= _content("text/event-stream", "ChatCompletionChunk", "")["content"]
    return {
        "/v1/models": {"get": _operation("v1_models_list", "Models", _content("application/json", "V1Models", ""))},
        "/v1/models/{id}": {
            "get": _operation("v1_models_retrieve", "One model", _content("application/json", "V1Model", ""))
            | {"parameters": [name]}
        },
        "/v1/chat/completions": {
            "post": _operation("v1_chat_completions_create", "Ask a model", completion, "ChatCompletionRequest")
        },
        "/v1/embeddings": {
            "post": _operation(
                "v1_embeddings_create",
                "Vectors of texts",
                _content("application/json", "V1Embeddings", ""),
                "EmbeddingRequest",
            )
        },
    }


def _operation(name: str, summary: str, answer: dict[str, Any], body: str = "") -> dict[str, Any]:
    asked = {"content": {"application/json": {"schema": {"$ref": _REF.format(name=body)}}}, "required": True}
    errors = {str(status): _content("application/json", "V1Error", text) for status, text in _ERRORS.items()}
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["openai"],
        "security": [{"apiKey": []}],
        **({"requestBody": asked} if body else {}),
        "responses": {"200": answer} | errors,
    }


def _content(media_type: str, schema: str, description: str) -> dict[str, Any]:
    return {"content": {media_type: {"schema": {"$ref": _REF.format(name=schema)}}}, "description": description}
