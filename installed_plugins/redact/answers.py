"""One answer on its way back: the originals of its request, and what of its stream is held back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from .messages import TEXT_FIELDS, changed_message
from .redaction import Redactor, Stream
from .restoring import Restorer, Restoring

__all__ = ["Answer"]

# Which choice, which field or tool call.
_Key = tuple[int, str | int]


class Answer:
    """Restores an answer, whole or in chunks; `screen` looks for what is private of the model's own."""

    def __init__(self, originals: Mapping[str, str], screen: Redactor | None) -> None:
        self.originals = dict(originals)
        self._screen = screen
        self._texts: dict[_Key, _Text] = {}

    @cached_property
    def _restorer(self) -> Restorer:
        return Restorer(self.originals)

    def whole(self, response: dict[str, Any]) -> dict[str, Any]:
        """The response after the last chunk. What was restored in the chunks already stays as it is."""
        choices = [
            choice | {"message": self._message(choice["message"])} if choice.get("message") else choice
            for choice in response.get("choices") or []
        ]
        return response | {"choices": choices}

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        texts = {name: value for name, value in message.items() if name != "tool_calls"}
        restored = changed_message(texts, self._shown)
        calls = {"tool_calls": message["tool_calls"]} if message.get("tool_calls") else {}
        return message | restored | changed_message(calls, self._restorer.restore)

    def _shown(self, text: str) -> str:
        if self._screen is not None:  # what the user wrote himself he may read
            text = self._screen.redact(text, spared=frozenset(self.originals.values()))
        return self._restorer.restore(text)

    def chunk(self, chunk: dict[str, Any], *, alone: bool = False) -> dict[str, Any]:
        """A chunk, as much of it as can be shown by now; one that is `alone` is all there is."""
        if not chunk.get("choices"):
            return chunk
        return chunk | {"choices": [self._choice(choice, alone=alone) for choice in chunk["choices"]]}

    def _choice(self, choice: dict[str, Any], *, alone: bool) -> dict[str, Any]:
        delta = dict(choice.get("delta") or {})
        index, ended = choice.get("index", 0), alone or choice.get("finish_reason") is not None
        for field in TEXT_FIELDS:
            piece = delta.get(field) or ""
            shown = self._feed((index, field), piece, ended=ended)
            if shown or piece:
                delta[field] = shown
        calls = self._calls(index, delta.get("tool_calls") or [], ended=ended)
        return choice | {"delta": delta | ({"tool_calls": calls} if calls else {})}

    def _calls(self, index: int, calls: list[dict[str, Any]], *, ended: bool) -> list[dict[str, Any]]:
        """The pieces of tool calls; with the end of the choice comes what is held back of each."""
        shown = [self._call(index, place, call) for place, call in enumerate(calls)]
        if not ended:
            return shown
        for name in [name for choice, name in self._texts if choice == index and isinstance(name, int)]:
            rest = self._feed((index, name), "", ended=True)
            if rest:
                shown.append({"index": name, "function": {"arguments": rest}})
        return shown

    def _call(self, index: int, place: int, call: dict[str, Any]) -> dict[str, Any]:
        function = call.get("function") or {}
        piece = function.get("arguments")
        if not isinstance(piece, str) or not self.originals:
            return call
        arguments = self._feed((index, int(call.get("index", place))), piece, ended=False)
        return call | {"function": function | {"arguments": arguments}}

    def _feed(self, key: _Key, piece: str, *, ended: bool) -> str:
        text = self._texts.get(key)
        if text is None:
            if not piece:
                return ""
            text = self._texts[key] = _Text(self._restorer, None if isinstance(key[1], int) else self._screen, key)
        shown = text.feed(piece)
        if ended:
            shown += text.finish()
            del self._texts[key]
        return shown


class _Text:
    """One text of a stream: looked through, then restored."""

    def __init__(self, restorer: Restorer, screen: Redactor | None, key: _Key) -> None:
        self._screened = Stream(screen) if screen is not None else None
        self._restoring = Restoring(restorer, in_json=isinstance(key[1], int))

    def feed(self, piece: str) -> str:
        return self._restoring.feed(self._screened.feed(piece) if self._screened else piece)

    def finish(self) -> str:
        rest = self._restoring.feed(self._screened.finish()) if self._screened else ""
        return rest + self._restoring.finish()
