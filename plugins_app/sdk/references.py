"""`${ENV:NAME}` in a configuration: a value that comes from the environment where the plugin starts.

A reference may be a whole value or stand inside a text; `$${ENV:NAME}` is the text `${ENV:NAME}` itself. Standard
library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["convert", "expand", "has_reference", "is_reference", "names_in", "only_name", "studio_owns"]

_REFERENCE = re.compile(r"\$?\$\{ENV:([A-Za-z_][A-Za-z0-9_]*)\}")
#: What the studio itself, its libraries and its database driver read: never a plugin's.
_OWN = frozenset({"DATABASE_URL", "REDIS_URL", "PORT", "DEV", "WEB_WORKERS", "WORKER_CONCURRENCY"})
_OWN_PREFIXES = ("STUDIO_", "DJANGO_", "CELERY_", "PG")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def studio_owns(name: str) -> bool:
    """Whether a variable belongs to the studio itself, and must not reach a plugin."""
    return name.upper() in _OWN or name.upper().startswith(_OWN_PREFIXES)


def names_in(value: Any) -> set[str]:
    """The variables that a value refers to, at any depth."""
    return {name for text in _texts(value) for name in _names(text)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _names(text: str) -> Iterator[str]:
    return (found[1] for found in _REFERENCE.finditer(text) if not found[0].startswith("$$"))


def has_reference(value: Any) -> bool:
    """Whether this is a text that refers to a variable, or escapes a reference."""
    return isinstance(value, str) and _REFERENCE.search(value) is not None


def only_name(value: Any) -> str | None:
    """The variable, if the value is one reference and nothing else."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found and not found[0].startswith("$$") else None


def is_reference(value: Any) -> bool:
    """Whether the value is one reference and nothing else: no secret itself, only the name of one."""
    return only_name(value) is not None


def expand(text: str, value_of: Callable[[str], str]) -> str:
    """The text with its references replaced and its escapes undone."""
    return _REFERENCE.sub(lambda found: found[0][1:] if found[0].startswith("$$") else value_of(found[1]), text)


def convert(text: str, kinds: list[str]) -> Any:
    """A variable's text as a value of one of these JSON types; a text where that is allowed, or nothing is said.

    Raises:
        ValueError: it is none of them.
    """
    if not kinds or "string" in kinds:
        return text
    for kind in kinds:
        try:
            return _CONVERTERS[kind](text.strip())
        except (KeyError, ValueError, RecursionError):
            continue
    raise ValueError(f"is not of type {', '.join(kinds)}")


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,100}", text):
        raise ValueError("not an integer")
    return int(text)


def _number(text: str) -> int | float:
    value = json.loads(text, parse_constant=_refuse)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    return value


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError("neither true nor false")
    return text.lower() in _TRUE


def _json(kind: type) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = json.loads(text, parse_constant=_refuse)
        if not isinstance(value, kind):
            raise ValueError("another type")
        return value

    return parse


_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _json(list),
    "object": _json(dict),
    "null": _json(type(None)),
}
