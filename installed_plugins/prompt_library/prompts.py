"""What a prompt is, and how new ones come to those that are there."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import uuid4

from plugins_app.sdk import PluginError

__all__ = ["Prompt", "checked", "merged"]

_TITLE_LIMIT, _TEXT_LIMIT, _ID_LIMIT = 120, 20_000, 64


class Prompt(TypedDict):
    """A text to be used again."""

    id: str
    title: str
    text: str


def checked(prompts: list[dict[str, Any]]) -> list[Prompt]:
    """The prompts in their stored form; those without an id get one.

    Raises:
        PluginError: one of them has no title or text, or one too long.
    """
    return [_checked(prompt, number) for number, prompt in enumerate(prompts, 1)]


def _checked(prompt: dict[str, Any], number: int) -> Prompt:
    title = _text(prompt, "title", _TITLE_LIMIT, number).strip()
    text = _text(prompt, "text", _TEXT_LIMIT, number)
    prompt_id = prompt.get("id") or uuid4().hex
    if not isinstance(prompt_id, str) or len(prompt_id) > _ID_LIMIT:
        raise PluginError(f"prompt {number}: its id is no text of at most {_ID_LIMIT} characters")
    return {"id": prompt_id, "title": title, "text": text}


def _text(prompt: dict[str, Any], name: str, limit: int, number: int) -> str:
    value = prompt.get(name)
    if not isinstance(value, str) or not value.strip():
        raise PluginError(f"prompt {number} has no {name}")
    if len(value) > limit:
        raise PluginError(f"prompt {number}: its {name} has {len(value):,} characters; {limit:,} are the most")
    return value


def merged(old: list[Prompt], new: list[Prompt]) -> list[Prompt]:
    """Both, by title. One with a known id takes its place; one that is there already, word for word, is not added."""
    by_id = {prompt["id"]: prompt for prompt in old}
    said = {(prompt["title"], prompt["text"]) for prompt in old}
    for prompt in new:
        if prompt["id"] in by_id or (prompt["title"], prompt["text"]) not in said:
            by_id[prompt["id"]] = prompt
            said.add((prompt["title"], prompt["text"]))
    return sorted(by_id.values(), key=lambda prompt: (prompt["title"].casefold(), prompt["id"]))
