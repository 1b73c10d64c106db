"""A middleware that gives an answer again that was given before, without asking the model."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from plugins_app.sdk import MiddlewarePlugin, OldState, PluginError, Refused, method

from .collecting import Collected
from .questions import is_cacheable, key_of
from .shelf import Entry, Memory, Stored, size_of

_PENDING = 4096
_COMPLETE = {"stop"}


class ResponseCache(MiddlewarePlugin):
    """Looks on the way in, keeps on the way out."""

    priority = 900
    on_error = "skip"

    async def initialize(self) -> bool:
        """The configuration does not change while the plugin lives."""
        ttl_s = float(self.get_config("ttl_s"))
        self._memory = Memory(
            ttl_s=ttl_s,
            max_entries=int(self.get_config("max_entries")),
            max_bytes=int(self.get_config("max_memory_mb")) * 2**20,
        )
        self._stored = Stored(self.context.storage, ttl_s) if self.get_config("in_storage") else None
        self._pending: OrderedDict[str, tuple[str, Collected]] = OrderedDict()
        self._counts = {"hits": 0, "misses": 0, "kept": 0, "saved_tokens": 0, "saved_usd": 0.0}
        return True

    def export_state(self) -> dict[str, Any]:
        """What the next generation goes on with."""
        return {"entries": self._memory.items(), "counts": self._counts}

    async def migrate_state(self, old: OldState) -> None:
        """Keep what was kept, as far as the new limits have place for it."""
        self._counts |= old.get("counts", {})
        for key, entry in old.get("entries", {}).items():
            self._memory.put(key, entry)

    async def before_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with its answer, when that is known."""
        if not is_cacheable(request, self.config):
            return request | {"chunks": False}
        key = key_of(request, self.get_config("scope"))
        entry = await self._look_up(key)
        if entry is not None:
            return request | {"response": self._again(entry)}
        self._counts["misses"] += 1
        self._pending[str(request.get("request_id"))] = (key, Collected())
        while len(self._pending) > _PENDING:  # of requests that were refused
            self._pending.popitem(last=False)
        return request

    async def on_chunk(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """The chunk as it is."""
        pending = self._pending.get(str(chunk.get("id")))
        if pending is not None:
            pending[1].add(chunk)
        return chunk

    async def after_response(self, response: dict[str, Any]) -> dict[str, Any]:
        """The response as it is; it is kept when it is complete."""
        key, collected = self._pending.pop(str(response.get("id")), ("", None))
        if collected is not None:
            choice = response["choices"][0] if collected.is_empty else collected.choice()
            entry = {"at": time.time(), "choice": choice, "cost": response.get("cost")}
            entry["usage"] = response.get("usage") or collected.usage
            if self._is_worth_keeping(entry):
                await self._keep(key, entry)
        return response

    async def on_unfinished(self, response: dict[str, Any]) -> None:
        """What came of an answer that ended early is kept no longer."""
        self._pending.pop(str(response.get("id")), None)

    @method(idempotent=True)
    async def stats(self) -> dict[str, Any]:
        """How often it helped, and how full it is."""
        counts = self._counts
        asked = counts["hits"] + counts["misses"]
        return {
            **counts,
            "hit_rate": round(counts["hits"] / asked, 4) if asked else 0.0,
            "entries": len(self._memory),
            "bytes": self._memory.size_bytes,
            "evicted": self._memory.evicted,
        }

    @method(idempotent=True)
    async def clear(self) -> int:
        """Forget every answer; only for operators. How many there were in memory."""
        if not (self.context.user or {}).get("is_operator"):
            raise Refused("Only operators empty the cache.", status=403)
        count = len(self._memory)
        self._memory.clear()
        if self._stored is not None:
            await self._stored.clear()
        return count

    async def _look_up(self, key: str) -> Entry | None:
        entry = self._memory.get(key)
        if entry is None and self._stored is not None:
            entry = await self._stored.get(key)
            if entry is not None:
                self._memory.put(key, entry)
        return entry

    def _again(self, entry: Entry) -> dict[str, Any]:
        """The answer once more. It took no tokens this time, and says where it comes from."""
        usage = entry.get("usage") or {}
        saved = int(usage.get("total_tokens") or 0)
        self._counts["hits"] += 1
        self._counts["saved_tokens"] += saved
        self._counts["saved_usd"] = round(self._counts["saved_usd"] + (entry.get("cost") or 0.0), 9)
        nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cost": 0.0}
        return {
            "object": "chat.completion",
            "created": int(entry["at"]),
            "choices": [entry["choice"]],
            "usage": nothing | {"response_cache": "hit", "saved_tokens": saved},
            "cached": True,
        }

    def _is_worth_keeping(self, entry: Entry) -> bool:
        """Cut and empty answers are not; whoever asks again may be luckier."""
        choice = entry["choice"]
        message, finish = choice.get("message") or {}, choice.get("finish_reason")
        complete = _COMPLETE | ({"tool_calls"} if self.get_config("tool_rounds") else set())
        if finish not in complete or not (message.get("content") or message.get("tool_calls")):
            return False
        if message.get("tool_calls") and not self.get_config("tool_rounds"):
            return False
        return size_of(entry) <= int(self.get_config("max_answer_kb")) * 1024

    async def _keep(self, key: str, entry: Entry) -> None:
        self._memory.put(key, entry)
        self._counts["kept"] += 1
        if self._stored is not None:
            try:
                await self._stored.put(key, entry)
            except PluginError as error:
                self.context.logger.warning("an answer is kept in memory only: %s", error)
