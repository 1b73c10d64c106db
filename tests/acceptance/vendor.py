"""A provider whose models each do one thing that a client of /v1 has to cope with."""

from __future__ import annotations

__all__ = ["MANIFEST", "VENDOR"]

MANIFEST = """
[plugin]
id = "vendor"
name = "Vendor"
version = "1.0.0"
description = "Models for tests of clients."
type = "provider"
"""

VENDOR = """
import asyncio
import json

from plugins_app.sdk import ProviderPlugin, Refused, method

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def chunk(delta, finish_reason=None, **more):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}], **more}


class Vendor(ProviderPlugin):
    async def initialize(self):
        self.waiting = self.cancelled = 0
        return True

    def get_available_models(self):
        names = ["talk", "tools", "json", "busy", "slow", "breaks"]
        return [{"id": name} for name in names] + [{"id": "vectors", "kind": "embedding"}]

    async def stream_completion(self, messages, model, **params):
        async for part in getattr(self, f"_{model}")(messages, params):
            yield part

    async def _talk(self, messages, params):
        said = messages[-1]["content"]
        text = said if isinstance(said, str) else " and ".join(part["type"] for part in said)
        for word in ("You ", "said: ", text):
            yield chunk({"content": word})
            await asyncio.sleep(0)
        yield chunk({}, "stop", usage=USAGE)

    async def _tools(self, messages, params):
        if messages[-1]["role"] == "tool":
            async for part in self._talk(messages, params):
                yield part
            return
        for index, tool in enumerate(params["tools"]):
            call = {"index": index, "id": f"call_{index}", "type": "function"}
            yield chunk({"tool_calls": [{**call, "function": {"name": tool["function"]["name"], "arguments": ""}}]})
            for piece in ('{"city": ', '"Paris"}'):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        yield chunk({}, "tool_calls", usage=USAGE)

    async def _json(self, messages, params):
        asked = params["response_format"]
        yield chunk({"content": json.dumps({"city": "Paris", "kind": asked["type"]})})
        yield chunk({}, "stop", usage=USAGE)

    async def _busy(self, messages, params):
        raise Refused("Ten a minute are enough.", status=429, retry_after=1, code="rate_limited")
        yield

    async def _slow(self, messages, params):
        yield chunk({"content": "wait"})
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def _breaks(self, messages, params):
        yield chunk({"content": "so far"})
        raise RuntimeError("out of paper")

    def embed(self, texts, model, **params):
        size = params.get("dimensions", 3)
        return {"data": [[float(len(text))] * size for text in texts], "usage": {"prompt_tokens": len(texts)}}

    @method()
    def count(self):
        return {"waiting": self.waiting, "cancelled": self.cancelled}
"""
