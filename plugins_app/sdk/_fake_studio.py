"""The studio as a plugin sees it in a test: everything in memory, everything recorded."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from ._running import in_call, plain
from .errors import NotReady, PermissionDenied, PluginError

__all__ = ["Event", "FakeStudio", "HostCall", "Progress", "Script"]

#: What answers `context.call` and `context.chat`: a function (sync or async), one answer, or a list of them in turn.
Script: TypeAlias = Callable[..., Any] | Sequence[Any] | Mapping[str, Any] | str | None


_LONGEST_WINDOW_S = 31 * 86_400
_PERMISSIONS = {"conversations": "host:conversations:read"}


class Progress(NamedTuple):
    """What a call said on the way: by `context.progress`, or as an item of an async generator (then in `item`)."""

    fraction: float | None
    message: str
    item: Any = None

    @classmethod
    def of(cls, item: Any) -> Progress:
        """An item of a tool's generator, read as the studio reads it."""
        fields = item if isinstance(item, dict) else {}
        fraction, message = fields.get("fraction", fields.get("progress")), fields.get("message")
        number = float(fraction) if isinstance(fraction, int | float) else None
        text = message if isinstance(message, str) else item if isinstance(item, str) else ""
        return cls(number, text, item)


class Event(NamedTuple):
    """What the plugin published with `context.emit`."""

    name: str
    data: dict[str, Any]


class HostCall(NamedTuple):
    """What the plugin asked the studio for."""

    operation: str
    payload: dict[str, Any]


class FakeStudio:
    """The transport of the context of a plugin under test."""

    def __init__(
        self,
        *,
        storage: Mapping[str, Any] | None,
        storage_quota: int,
        scripts: Mapping[str, Script],
        user: Mapping[str, Any] | None,
        conversations: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.storage: dict[str, Any] = dict(storage or {})
        self.events: list[Event] = []
        self.progress: list[Progress] = []
        self.host_calls: list[HostCall] = []
        self.granted: set[str] = set()
        self.dependencies: set[str] = set()
        self.cancelled = False
        self.counters_away = False
        self.clock = time.time()  # it stands still but for `advance`, so that no window ends by chance
        self._counts: dict[tuple[str, float, int], float] = {}
        self.user = dict(user) if user is not None else None
        self._conversations = {str(one["id"]): dict(one) for one in conversations}
        self._quota, self._scripts = storage_quota, scripts
        self._taken: dict[str, int] = {}

    def send_progress(self, fraction: float | None, message: str) -> None:
        """What `context.progress` says."""
        if in_call.get():
            self.progress.append(Progress(fraction, message))

    async def host_call(self, operation: str, payload: dict[str, Any]) -> Any:
        """What `context.storage`, `.call`, `.chat` and `.emit` ask for."""
        if not in_call.get():
            raise PluginError(f"{operation}: only possible while a call is being answered")
        asked = plain(payload, operation)
        self.host_calls.append(HostCall(operation, asked))
        kind = operation.partition(".")[0]
        if kind != "plugins":
            self._require(_PERMISSIONS.get(kind, f"host:{kind}"), operation)
        elif asked["plugin_id"] not in self.dependencies:
            self._require(f"host:plugins:{asked['plugin_id']}", operation)
        answers = {
            "storage": self._store,
            "events": self._publish,
            "counters": self._count,
            "conversations": self._read,
        }
        answer = answers[kind](operation, asked) if kind in answers else await self._scripted(operation, asked)
        return plain(answer, operation)

    def _require(self, permission: str, operation: str) -> None:
        if permission not in self.granted:
            raise PermissionDenied(f"{operation}: the manifest does not ask for {permission}, or it was not granted")

    def _publish(self, operation: str, asked: dict[str, Any]) -> None:
        self.events.append(Event(asked["event"], asked["data"]))

    def _store(self, operation: str, asked: dict[str, Any]) -> Any:
        if operation == "storage.list":
            return sorted(key for key in self.storage if key.startswith(asked["prefix"]))
        key = asked["key"]
        if operation == "storage.get":
            return {"found": key in self.storage, "value": self.storage.get(key)}
        if operation == "storage.delete":
            found = key in self.storage
            self.storage.pop(key, None)
            return found
        value = self._sum(key, asked["amount"]) if operation == "storage.add" else asked["value"]
        size = sum(map(_size, (self.storage | {key: value}).items()))
        if size > self._quota:
            raise PluginError(f"{operation}: {size} bytes would be over the quota of {self._quota}")
        self.storage[key] = value
        return value if operation == "storage.add" else None

    def _sum(self, key: str, amount: float) -> float:
        stored = self.storage.get(key, 0)
        if type(stored) not in (int, float) or type(amount) not in (int, float):
            raise PluginError(f"storage.add: {key!r} and what is added to it must be numbers")
        total: float = stored + amount
        return total

    def _count(self, operation: str, asked: dict[str, Any]) -> dict[str, float]:
        if self.counters_away:
            raise NotReady(f"{operation}: Redis, which keeps the counters, does not answer.")
        name, window = asked["name"], asked["window_s"]
        if not name or not 1 <= window <= _LONGEST_WINDOW_S:
            raise PluginError(f"{operation}: a counter has a name, and a window of 1 to {_LONGEST_WINDOW_S} seconds")
        key = (name, window, int(self.clock // window))
        if asked["amount"]:
            self._counts[key] = self._counts.get(key, 0) + asked["amount"]
        return {"total": self._counts.get(key, 0), "resets_in": window - self.clock % window}

    def counters(self) -> dict[tuple[str, float], float]:
        """What is counted in the windows under way, by name and length."""
        current = {size: int(self.clock // size) for _, size, _ in self._counts}
        return {(name, size): n for (name, size, number), n in self._counts.items() if number == current[size]}

    def _read(self, operation: str, asked: dict[str, Any]) -> Any:
        if self.user is None:
            raise PermissionDenied(
                f"{operation}: nobody's conversations, for no user calls; pass user= to PluginHarness"
            )
        if operation == "conversations.search":
            words = asked["query"].casefold().split()
            found = [hit for one in self._conversations.values() for hit in _hits(one, words)]
            return found[: asked["limit"]]
        if asked["conversation_id"] not in self._conversations:
            raise PluginError(f"{operation}: There is no such conversation among yours.")
        return self._conversations[asked["conversation_id"]]

    async def _scripted(self, operation: str, asked: dict[str, Any]) -> Any:
        script = self._scripts[operation]
        if callable(script):
            arguments = {key: value for key, value in asked.items() if key != "kwargs"} | asked["kwargs"]
            answer = script(**arguments)
            return _completion(operation, await answer if inspect.isawaitable(answer) else answer)
        if isinstance(script, Sequence) and not isinstance(script, str):
            taken = self._taken[operation] = self._taken.get(operation, 0) + 1
            if taken > len(script):
                raise AssertionError(f"{operation}: the script has only {len(script)} answers")
            script = script[taken - 1]
        if script is None:
            raise AssertionError(f"{operation}: pass calls= or chat= to PluginHarness to script its answer")
        return _completion(operation, script)


def _size(item: tuple[str, Any]) -> int:
    key, value = item
    return len(key.encode()) + len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _hits(conversation: Mapping[str, Any], words: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The title, then the messages that have all the words. The studio itself goes by whole words and by rank."""
    title = str(conversation.get("title", ""))
    hit = {"conversation_id": str(conversation["id"]), "title": title}
    if words and all(word in title.casefold() for word in words):
        created = conversation.get("created_at")
        yield hit | {"message_id": None, "role": None, "excerpt": title, "created_at": created}
    for message in conversation.get("messages", ()):
        text = message.get("content")
        if isinstance(text, str) and words and all(word in text.casefold() for word in words):
            about = {name: message.get(name) for name in ("role", "created_at")}
            yield hit | about | {"message_id": message.get("id"), "excerpt": text[:200]}


def _completion(operation: str, answer: Any) -> Any:
    """A scripted answer; a model's text stands for a whole completion."""
    if operation != "models.chat" or not isinstance(answer, str):
        return answer
    choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    return {"object": "chat.completion", "choices": [choice]}
