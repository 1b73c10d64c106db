"""Anthropic's Messages API: https://platform.claude.com/docs/en/api/messages-streaming."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from tests.vendors.server import Event, VendorServer

__all__ = ["Claude"]

_TYPES = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
_SUPPORTED, _UNSUPPORTED = {"supported": True}, {"supported": False}


class Claude(VendorServer):
    """Calls the first tool it is offered, once; else says what it was told."""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/messages", self._messages), web.get("/v1/models", self._models)]

    def key_of(self, request: web.Request) -> str:
        return request.headers.get("x-api-key") or super().key_of(request)

    def error(self, status: int, message: str) -> Any:
        return {"type": "error", "error": {"type": _TYPES.get(status, "api_error"), "message": message}}

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = self.last
        assert body["stream"] is True
        assert request.headers["anthropic-version"]
        return await self.stream(request, _events(body))

    async def _models(self, request: web.Request) -> web.StreamResponse:
        listed = [_model("claude-sonnet-4-6", "Claude Sonnet 4.6"), _model("claude-next-9", "Claude Next 9")]
        page = {"data": listed, "has_more": False, "first_id": listed[0]["id"], "last_id": listed[-1]["id"]}
        return await self.plain(request, page)


def _model(identity: str, name: str) -> dict[str, Any]:
    capabilities = {"image_input": _SUPPORTED, "structured_outputs": _UNSUPPORTED, "thinking": _SUPPORTED}
    return {
        "type": "model",
        "id": identity,
        "display_name": name,
        "created_at": "2026-02-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 1_000_000,
        "max_tokens": 64_000,
        "capabilities": capabilities,
    }


def _events(body: dict[str, Any]) -> list[Event]:
    message = {
        "id": "msg_0123",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1},
    }
    blocks, reason = _blocks(body)
    events: list[Event] = [("message_start", {"type": "message_start", "message": message}), ("ping", {"type": "ping"})]
    for index, (start, deltas) in enumerate(blocks):
        events.append(("content_block_start", {"type": "content_block_start", "index": index, "content_block": start}))
        events += [
            ("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas
        ]
        events.append(("content_block_stop", {"type": "content_block_stop", "index": index}))
    ending = {"stop_reason": reason, "stop_sequence": None}
    events.append(("message_delta", {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 7}}))
    return [*events, ("message_stop", {"type": "message_stop"})]


def _blocks(body: dict[str, Any]) -> tuple[list[tuple[dict[str, Any], list[dict[str, Any]]]], str]:
    """The content blocks of the answer, and why it ends."""
    last = body["messages"][-1]["content"]
    blocks = [_thinking()] if body.get("thinking", {}).get("type") in ("enabled", "adaptive") else []
    results = [block for block in last if block["type"] == "tool_result"]
    if body.get("tools") and not results and body["tool_choice"]["type"] != "none":
        return [*blocks, _text("I'll look."), *map(_call, range(2), body["tools"] * 2)], "tool_use"
    if results:
        said = "; ".join(part["text"] for result in results for part in result["content"])
    else:
        said = " ".join(_described(block) for block in last)
    return [*blocks, _text(f"You said: {said}")], "end_turn"


def _described(block: dict[str, Any]) -> str:
    if block["type"] == "text":
        return str(block["text"])
    return f"<{block['type']} {block['source']['type']} {block['source'].get('media_type')}>"


def _thinking() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    start = {"type": "thinking", "thinking": "", "signature": ""}
    return start, [
        {"type": "thinking_delta", "thinking": "Let me "},
        {"type": "thinking_delta", "thinking": "think."},
        {"type": "signature_delta", "signature": "c2lnbmVk"},
    ]


def _text(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    half = len(text) // 2
    deltas = [{"type": "text_delta", "text": piece} for piece in (text[:half], text[half:])]
    return {"type": "text", "text": ""}, deltas


def _call(number: int, tool: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The first call has arguments, the second none."""
    start = {"type": "tool_use", "id": f"toolu_{number}", "name": tool["name"], "input": {}}
    if number:
        return start, []
    arguments = json.dumps({"expression": "6*7"})
    pieces = ["", arguments[:7], arguments[7:]]
    return start, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
