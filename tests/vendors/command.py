"""Cohere's API v2: https://docs.cohere.com/reference/chat-stream, /reference/embed and /reference/list-models."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from tests.vendors.server import Event, VendorServer

__all__ = ["Command"]


class Command(VendorServer):
    """Calls the first tool it is offered, once; else says what it was told."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/chat", self._chat),
            web.post("/v2/embed", self._embed),
            web.get("/v1/models", self._models),
        ]

    def error(self, status: int, message: str) -> Any:
        return {"id": "e-1", "message": message}

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        assert self.last["stream"] is True
        return await self.stream(request, _events(self.last))

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        texts = self.last["texts"]
        assert len(texts) <= 96
        body = {
            "id": "em-1",
            "response_type": "embeddings_by_type",
            "embeddings": {"float": [[float(len(text)), 0.5] for text in texts]},
            "texts": texts,
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": len(texts)}},
        }
        return await self.plain(request, body)

    async def _models(self, request: web.Request) -> web.StreamResponse:
        chat = {"endpoints": ["chat"], "context_length": 256_000, "is_deprecated": False, "finetuned": False}
        models = [
            {"name": "command-a-03-2025", **chat, "features": ["tools", "json_mode", "json_schema"]},
            {"name": "command-a-reasoning-08-2025", **chat, "features": ["tools", "reasoning"]},
            {"name": "command-old", **chat, "is_deprecated": True, "features": None},
            {"name": "embed-v4.0", **chat, "endpoints": ["embed"], "features": None},
            {"name": "rerank-v3.5", **chat, "endpoints": ["rerank"], "features": None},
        ]
        return await self.plain(request, {"models": models, "next_page_token": None})


def _events(body: dict[str, Any]) -> list[Event]:
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    inner, reason = _inner(body)
    billed, counted = {"input_tokens": 9, "output_tokens": 6}, {"input_tokens": 12, "output_tokens": 7}
    usage = {"billed_units": billed, "tokens": counted, "cached_tokens": 4}
    events = [
        {"type": "message-start", "id": "c-1", "delta": {"message": start}},
        *inner,
        {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}},
    ]
    return [(event["type"], event) for event in events]


def _inner(body: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """What comes between start and end, and why it ends."""
    last = body["messages"][-1]
    if body.get("tools") and last["role"] != "tool" and body.get("tool_choice") != "NONE":
        plan = [
            {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}} for piece in ("I will ", "look.")
        ]
        return [*plan, *_call(0, body["tools"][0]), *_call(1, body["tools"][0])], "TOOL_CALL"
    thinking = _block(0, "thinking", "Let me think.") if body.get("thinking", {}).get("type") == "enabled" else []
    return [*thinking, *_block(len(thinking) // 4, "text", f"You said: {_said(last['content'])}")], "COMPLETE"


def _said(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(
        part["text"] if part["type"] == "text" else f"<{part['image_url']['url'][:14]}>" for part in content
    )


def _block(index: int, kind: str, text: str) -> list[dict[str, Any]]:
    half = len(text) // 2
    opening = {"message": {"content": {"type": kind, kind: ""}}}
    pieces = [{"message": {"content": {kind: piece}}} for piece in (text[:half], text[half:])]
    return [
        {"type": "content-start", "index": index, "delta": opening},
        *({"type": "content-delta", "index": index, "delta": piece} for piece in pieces),
        {"type": "content-end", "index": index},
    ]


def _call(index: int, tool: dict[str, Any]) -> list[dict[str, Any]]:
    """The first call has arguments, the second none."""
    call = {"id": f"call_{index}", "type": "function", "function": {"name": tool["function"]["name"], "arguments": ""}}
    text = "" if index else json.dumps({"expression": "6*7"})
    pieces = [
        {"message": {"tool_calls": {"function": {"arguments": piece}}}} for piece in (text[:7], text[7:]) if piece
    ]
    return [
        {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": call}}},
        *({"type": "tool-call-delta", "index": index, "delta": piece} for piece in pieces),
        {"type": "tool-call-end", "index": index},
    ]
