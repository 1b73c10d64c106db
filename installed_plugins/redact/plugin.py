"""A middleware that keeps private data from the model, and gives it back to whoever wrote it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

from plugins_app.sdk import ConfigError, MiddlewarePlugin, OldState
from plugins_app.sdk.patterns import SafePattern

from .answers import Answer
from .messages import changed_message
from .redaction import Finder, Redactor
from .veil import Veil, placeholders_in

_DEFAULT_KINDS = ["email", "phone", "card", "key", "iban"]
_REMEMBERED = 4096


class Redact(MiddlewarePlugin):
    """Replaces what is private in every message before the request goes on, and restores it in the answer."""

    priority = 10
    on_error = "fail"

    async def validate_config(self) -> bool:
        """Patterns that cannot be used are said one by one, beside the field."""
        errors = []
        for index, pattern in enumerate(self.get_config("patterns", [])):
            try:
                _safe(pattern)
            except ValueError as error:
                errors.append({"pointer": f"/patterns/{index}/pattern", "message": str(error)})
        if errors:
            raise ConfigError("; ".join(error["message"] for error in errors), errors)
        return True

    async def initialize(self) -> bool:
        """Settings are frozen for the life of the plugin, so the redactor is made once."""
        own: dict[str, Finder] = {one["name"].lower(): _safe(one).spans for one in self.get_config("patterns", [])}
        style = self.get_config("style", "reversible")
        self._reversible = style == "reversible"
        self._redactor = Redactor(self.get_config("kinds", _DEFAULT_KINDS), "typed" if self._reversible else style, own)
        self._responses = bool(self.get_config("apply_to_response", False))
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._lock = Lock()  # requests are looked through in threads
        return True

    def export_state(self) -> dict[str, Any]:
        """What the next generation needs to restore the answers that this one's requests are still waiting for."""
        with self._lock:
            return {"originals": {name: answer.originals for name, answer in self._answers.items()}}

    async def migrate_state(self, old: OldState) -> None:
        """Go on with those answers; the ends of what is streamed at this moment are all that is not known."""
        for name, originals in old.get("originals", {}).items():
            self._remember(name, Answer(originals, self._screen))

    def before_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with redacted messages; everything else stays as it is.

        Not async: a long conversation takes a while to look through, and in a thread it keeps nobody else waiting.
        """
        messages = request.get("messages") or []
        if not self._reversible:
            return _changed(request, self._redactor.redact) | {"chunks": self._responses}
        veil = Veil(self._redactor, placeholders_in(messages))
        hidden = _changed(request, veil.hide)
        if veil.originals and request.get("request_id"):
            self._remember(request["request_id"], Answer(veil.originals, self._screen))
        return hidden | {"chunks": self._responses or bool(veil.originals)}

    def after_response(self, response: dict[str, Any]) -> dict[str, Any]:
        """The answer with the originals, and without what else is private when that is wanted."""
        with self._lock:
            answer = self._answers.pop(str(response.get("id")), None)
        if answer is None:
            if not self._responses:
                return response
            answer = Answer({}, self._screen)
        return answer.whole(response)

    async def on_unfinished(self, response: dict[str, Any]) -> None:
        """The originals of an answer that ends early are kept no longer."""
        with self._lock:
            self._answers.pop(str(response.get("id")), None)

    async def on_chunk(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """A chunk of a stream. What may be the beginning of something private waits for the chunks after it."""
        name = chunk.get("id")
        answer = self._answers.get(str(name))
        if answer is None:
            if not self._responses:
                return chunk
            answer = Answer({}, self._screen)
            if name:
                self._remember(str(name), answer)
        return answer.chunk(chunk, alone=not name)  # nobody can say which chunks without a name belong together

    @property
    def _screen(self) -> Redactor | None:
        """What looks for private data of the model's own."""
        return self._redactor if self._responses else None

    def _remember(self, name: str, answer: Answer) -> None:
        """Until its `after_response`; answers that never come are forgotten, oldest first."""
        with self._lock:
            self._answers[name] = answer
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)


def _changed(request: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The messages, and what a client calls its user: the provider gets that, too, and it is often an address."""
    changed: dict[str, Any] = {"messages": [changed_message(one, change) for one in request.get("messages") or []]}
    params = request.get("params") or {}
    if isinstance(params.get("user"), str):
        changed["params"] = params | {"user": change(params["user"])}
    return request | changed


def _safe(pattern: dict[str, Any]) -> SafePattern:
    return SafePattern(pattern["pattern"], ignore_case=bool(pattern.get("ignore_case", False)))
