"""The Gemini API: https://ai.google.dev/api/generate-content, /api/embeddings and /api/models."""

from __future__ import annotations

import base64
import re
from typing import Any

from aiohttp import web

from tests.vendors.server import Event, VendorServer

__all__ = ["Gemini"]

_NAMES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
_VERBATIM = {"response", "args", "parametersJsonSchema", "responseJsonSchema"}
SIGNATURE = base64.b64encode(b"signed").decode()


class Gemini(VendorServer):
    """Calls the first tool it is offered, once; else says what it was told."""

    @property
    def last(self) -> Any:
        """The body of the last request. The API takes snake_case as well, and the SDK mixes them."""
        return _camel(super().last)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/{version:v1|v1beta}/models/{model}:streamGenerateContent", self._generate),
            web.post("/{version:v1|v1beta}/models/{model}:batchEmbedContents", self._embed),
            web.get("/{version:v1|v1beta}/models", self._models),
        ]

    def key_of(self, request: web.Request) -> str:
        return request.headers.get("x-goog-api-key", "")

    def error(self, status: int, message: str) -> Any:
        error: dict[str, Any] = {"code": status, "message": message, "status": _NAMES.get(status, "INTERNAL")}
        if status == 429:
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.3s"}]
        return {"error": error}

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        assert request.query["alt"] == "sse"
        return await self.stream(request, _events(self.last, request.match_info["model"]))

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        texts = [each["content"]["parts"][0]["text"] for each in self.last["requests"]]
        assert len(texts) <= 100
        return await self.plain(request, {"embeddings": [{"values": [float(len(text)), 0.5]} for text in texts]})

    async def _models(self, request: web.Request) -> web.StreamResponse:
        chat = {"inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536, "version": "1"}
        does = {"supportedGenerationMethods": ["generateContent", "countTokens"]}
        models = [
            {"name": "models/gemini-2.5-flash", "displayName": "Gemini 2.5 Flash", **chat, **does},
            {"name": "models/gemini-2.0-flash", "displayName": "Gemini 2.0 Flash", **chat, **does},
            {"name": "models/gemini-2.5-flash-preview-tts", "displayName": "Speech", **chat, **does},
            {"name": "models/gemini-embedding-001", **chat, "supportedGenerationMethods": ["embedContent"]},
            {"name": "models/veo-3", **chat, "supportedGenerationMethods": ["predictLongRunning"]},
        ]
        return await self.plain(request, {"models": models})


def _camel(value: Any) -> Any:
    """The same in camelCase, but for what is the user's own."""
    if isinstance(value, list):
        return [_camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): each for key, each in value.items()}
    return {key: each if key in _VERBATIM else _camel(each) for key, each in named.items()}


def _events(body: dict[str, Any], model: str) -> list[Event]:
    pieces = _pieces(body)
    events: list[Event] = []
    for number, parts in enumerate(pieces):
        candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
        if number == len(pieces) - 1:
            candidate["finishReason"] = "STOP"
        usage = {"promptTokenCount": 12, "candidatesTokenCount": 2 + number, "thoughtsTokenCount": 3}
        events.append((None, {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}))
    return events


def _pieces(body: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The parts of the answer, a list for each piece of the stream."""
    last = body["contents"][-1]["parts"]
    shown = body.get("generationConfig", {}).get("thinkingConfig", {}).get("includeThoughts")
    thoughts = [[{"text": "Let me think.", "thought": True}]] if shown else []
    results = [part["functionResponse"] for part in last if "functionResponse" in part]
    mode = body.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode")
    if body.get("tools") and not results and mode != "NONE":
        name = body["tools"][0]["functionDeclarations"][0]["name"]
        first = {"functionCall": {"name": name, "args": {"expression": "6*7"}}, "thoughtSignature": SIGNATURE}
        return [*thoughts, [{"text": "I'll look."}], [first, {"functionCall": {"name": name}}]]
    said = "; ".join(f"{each['name']}={each['response']}" for each in results) or " ".join(map(_described, last))
    return [*thoughts, [{"text": "You said: "}], [{"text": said}], [{"text": ""}]]


def _described(part: dict[str, Any]) -> str:
    if "inlineData" in part:
        return f"<{part['inlineData']['mimeType']}>"
    return f"<{part['fileData']['fileUri']}>" if "fileData" in part else str(part["text"])
