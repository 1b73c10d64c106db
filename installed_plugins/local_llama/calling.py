"""Tool calls of models that were never taught any: an instruction to ask for one, and a grammar to write it by."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugins_app.sdk import UpstreamError

__all__ = ["CallWatcher", "Tools", "made_before", "rounds_made"]

_OPENING = "<tool_call>"
_INSTRUCTIONS = """You can call these tools:
{tools}
To call one, answer with nothing but
<tool_call>{{"name": "its name", "arguments": {{"name of a parameter": "its value"}}}}</tool_call>
If none is needed, or its result is there already, answer in your own words."""
#: A model that leaves out the mark still begins like this.
_BARE = re.compile(r"\s*(```(json)?\s*)?\[?\s*\{\s*\"(name|function)\"\s*:")
_MAYBE_BARE = re.compile(r"\s*(`{0,3}|```(json)?\s*)?(\[?\s*(\{\s*(\"\w{0,8}\"?\s*:?)?)?)?")


@dataclass(frozen=True)
class Tools:
    """The tools of one request, as far as the model may call them."""

    functions: tuple[Mapping[str, Any], ...] = ()
    forced: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Tools:
        """What OpenAI's `tools` and `tool_choice` come down to."""
        functions = tuple(each["function"] for each in params.get("tools") or () if "function" in each)
        choice = params.get("tool_choice") or "auto"
        if choice == "none":
            return cls()
        if isinstance(choice, Mapping):
            wanted = choice.get("function", {}).get("name")
            functions = tuple(each for each in functions if each["name"] == wanted)
        return cls(functions, forced=bool(functions) and choice != "auto")

    @property
    def offered(self) -> bool:
        """Whether there is anything to call."""
        return bool(self.functions)

    @property
    def instructions(self) -> str:
        """What the model is told."""
        return _INSTRUCTIONS.format(tools="\n".join(map(_told, self.functions))) if self.functions else ""

    @property
    def demand(self) -> str:
        """What is put after the question when a call is to be written: models heed what they read last."""
        if len(self.functions) == 1:
            return f"Write the call of {_told(self.functions[0])[2:]}\nfor this as JSON."
        return "Write the call of one of these for this as JSON:\n" + "\n".join(map(_told, self.functions))

    def schemas(self) -> Iterator[dict[str, Any]]:
        """What a call must look like: exactly, and then, for schemas that make no grammar, roughly."""
        yield self._schema(exact=True)
        yield self._schema(exact=False)

    def _schema(self, *, exact: bool) -> dict[str, Any]:
        options = [
            {
                "type": "object",
                "properties": {"name": {"const": each["name"]}, "arguments": _arguments(each) if exact else _OBJECT},
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
            for each in self.functions
        ]
        return options[0] if len(options) == 1 else {"anyOf": options}

    def parsed(self, text: str) -> dict[str, Any]:
        """The call that was written, in OpenAI's shape."""
        try:
            written = json.loads(text)
            name, arguments = written["name"], written["arguments"]
        except (ValueError, KeyError, TypeError):
            raise UpstreamError("the model did not get to the end of its tool call: raise max_tokens", 422) from None
        function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
        return {"index": 0, "id": f"call_{uuid.uuid4().hex[:20]}", "type": "function", "function": function}


_LIMITS = {"minLength", "enum", "const", "pattern", "format"}
_OBJECT: dict[str, Any] = {"type": "object"}


def _told(function: Mapping[str, Any]) -> str:
    """A tool in plain words: a schema's braces find their way into what a small model writes."""
    parameters = function.get("parameters") or {}
    properties, required = parameters.get("properties") or {}, parameters.get("required") or ()
    names = [name if name in required else f"{name}?" for name in properties]
    lines = [f"- {function['name']}({', '.join(names)}): {function.get('description') or ''}"]
    for name, schema in properties.items():
        kind = schema.get("type", "value") if isinstance(schema, Mapping) else "value"
        choices = f", one of {', '.join(map(str, schema['enum']))}" if "enum" in schema else ""
        lines.append(f"  {name}: {kind}{choices}. {schema.get('description') or ''}")
    return "\n".join(lines)


def made_before(call: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether this very call has its result already: small models like to repeat themselves."""
    made = [each.get("function") for message in _since_asked(messages) for each in message.get("tool_calls") or ()]
    return any(each and _same(each, call["function"]) for each in made)


def rounds_made(messages: Sequence[Mapping[str, Any]]) -> int:
    """How often tools were called since the user last said something."""
    return sum(bool(message.get("tool_calls")) for message in _since_asked(messages))


def _since_asked(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    said = [place for place, message in enumerate(messages) if message.get("role") == "user"]
    return messages[said[-1] :] if said else messages


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    try:
        arguments = [json.loads(each.get("arguments") or "{}") for each in (one, other)]
    except ValueError:
        return False
    return one.get("name") == other.get("name") and arguments[0] == arguments[1]


def _arguments(function: Mapping[str, Any]) -> dict[str, Any]:
    """What the arguments must look like; a text that has to be given is not empty."""
    parameters = function.get("parameters") or {}
    properties, required = dict(parameters.get("properties") or {}), parameters.get("required") or ()
    for name in required:
        schema = properties.get(name)
        if isinstance(schema, Mapping) and schema.get("type") == "string" and not _LIMITS & schema.keys():
            properties[name] = {**schema, "minLength": 1}
    return {"type": "object", **parameters, "properties": properties}


class CallWatcher:
    """Lets an answer's text through until it turns out to be a tool call; holds back what may begin one."""

    def __init__(self, *, active: bool) -> None:
        self._active, self._held, self._sent = active, "", False
        self.found = False

    def shown(self, chunk: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What of a chunk can be shown now."""
        for choice in chunk["choices"]:
            text = choice["delta"].get("content")
            if not self._active or (text is None and not choice.get("finish_reason")):
                yield chunk
                continue
            text = self._free(text or "", at_end=bool(choice.get("finish_reason")))
            if text or choice.get("finish_reason"):
                if self.found and not text:
                    return
                delta = choice["delta"] | ({"content": text} if text else {})
                finish = None if self.found else choice.get("finish_reason")
                yield chunk | {"choices": [choice | {"delta": delta, "finish_reason": finish}]}

    def _free(self, text: str, *, at_end: bool) -> str:
        """What is certainly no call; `found` when there is one."""
        self._held += text
        mark = self._held.find(_OPENING)
        if mark < 0 and not self._sent and _BARE.match(self._held):
            mark = 0
        if mark >= 0:
            self.found = True
            return self._release(mark).rstrip() if mark else ""
        if at_end:
            return self._release(len(self._held))
        if not self._sent and _MAYBE_BARE.fullmatch(self._held):
            return ""
        return self._release(len(self._held) - _open_end(self._held))

    def _release(self, count: int) -> str:
        free, self._held = self._held[:count], self._held[count:]
        self._sent = self._sent or bool(free.strip())
        return free


def _open_end(text: str) -> int:
    """How many characters at the end may be the beginning of the mark."""
    return max((size for size in range(1, len(_OPENING)) if text.endswith(_OPENING[:size])), default=0)
