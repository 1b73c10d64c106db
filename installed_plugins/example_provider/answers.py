"""What the example models say."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .chunks import pieces

__all__ = ["MODELS", "Answer", "count_tokens", "text_of", "write"]


class Model(NamedTuple):
    """A model as people see it."""

    name: str
    description: str


MODELS = {
    "echo": Model("Echo", "Repeats what you said, word by word"),
    "story": Model("Story", "Tells a longer story about what you said; always the same one for the same words"),
    "think": Model("Think", "Thinks aloud before it echoes"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Text, the thoughts before it, or tool calls in OpenAI's shape."""

    text: str = ""
    reasoning: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)


def text_of(message: dict[str, Any]) -> str:
    """The words of a message whose content is a string, OpenAI's content parts, or nothing."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content if part.get("type") == "text")


def count_tokens(text: str) -> int:
    """An estimate that is the same on every machine: the pieces this plugin itself would stream."""
    return len(pieces(text))


def write(model: str, messages: list[dict[str, Any]]) -> Answer:
    """The answer of `model` to these messages: about the tools' results when those came last."""
    results = _results(messages)
    if results:
        return Answer("\n".join(results))
    said = next((text_of(m).strip() for m in reversed(messages) if m.get("role") == "user"), "")
    if model == "story":
        return Answer(_story(said))
    return Answer(_echo(said), reasoning=_thoughts(said) if model == "think" else "")


def _echo(said: str) -> str:
    words = re.findall(r"\w+(?:['’\-]\w+)*", said)
    if not said:
        return "You said nothing."
    if not words:
        return f"You said: {said}"
    return f"You said: {said}\n\nThat is {len(words)} word{'s' * (len(words) != 1)}: {', '.join(words)}."


def _thoughts(said: str) -> str:
    return f"The user wrote {len(said)} characters. I am an echo, so I will repeat them and count the words."


_WHO = ("a lighthouse keeper", "an old tram driver", "a young cartographer", "a retired clockmaker", "a river pilot")
_WHERE = ("on the edge of a quiet harbour", "in a town of three bridges", "where the railway ends", "above the bakery")
_FOUND = ("a letter without a sender", "a map with one street too many", "a key that fitted no door", "a humming stone")
_THEN = (
    "asked everybody who passed, and everybody remembered something different",
    "waited for the tide, which had always known the answer before",
    "wrote it down, crossed it out, and wrote it down again",
    "followed it through the rain to the last lamp of the street",
    "turned it over and found the same words on the other side",
    "laughed, because it had been there all the time",
)


def _story(said: str) -> str:
    """A story that depends on nothing but `said`."""
    dice = iter(hashlib.sha256(said.encode()).digest() * 2)

    def pick(choices: tuple[str, ...]) -> str:
        return choices[next(dice) % len(choices)]

    topic = said if len(said) <= 200 else said[:200].rstrip() + "…"
    who = pick(_WHO)
    opening = f"There was once {who} {pick(_WHERE)}, who one evening found {pick(_FOUND)}."
    first = next(dice) % len(_THEN)
    middle = [f"The {who.split(' ', 2)[-1]} {then}." for then in _THEN[first:] + _THEN[:first]]
    question = f"On it somebody had written: “{topic or 'nothing at all'}”."
    ending = "And if the tide has not taken it, it is lying there still."
    return "\n\n".join([f"{opening} {question}", " ".join(middle[:3]), " ".join(middle[3:]), ending])


def _results(messages: list[dict[str, Any]]) -> list[str]:
    """One sentence for each tool result at the end of the conversation."""
    names: dict[str, str] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            names[call["id"]] = call["function"]["name"]
    trailing: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        name = names.get(message.get("tool_call_id", ""), message.get("name") or "the tool")
        trailing.insert(0, _sentence(name.replace("__", ".", 1), text_of(message)))
    return trailing


def _sentence(tool: str, content: str) -> str:
    try:
        value = json.loads(content)
    except ValueError:
        value = content
    if isinstance(value, dict) and value.get("error"):
        error = value["error"]
        reason = error.get("detail") or error.get("message") or error if isinstance(error, dict) else error
        return f"{tool} failed: {reason}"
    if isinstance(value, dict) and "result" in value:
        value = value["result"]
    return f"{tool} answered {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}."
