"""What a configuration schema is written in: the specification's short dialect, or JSON Schema 2020-12 itself.

The short dialect has one entry per field (``{"timeout": {"type": "integer", "required": true, "min": 1}}``); it becomes
JSON Schema on the way in, and everything else knows only that. Standard library only.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from .patterns import is_nested

__all__ = [
    "ALTERNATIVES",
    "is_short_dialect",
    "kinds_of",
    "properties_of",
    "resolve",
    "schema_problem",
    "to_json_schema",
]

#: The rules that hold several schemas of one value.
ALTERNATIVES = ("allOf", "anyOf", "oneOf")

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SECRET_NAME = re.compile(r"(^|_|-)?(api_?-?key|secret|password|token|credentials?)$", re.IGNORECASE)
_RENAMED = {
    "string": {"min": "minLength", "max": "maxLength"},
    "array": {"min": "minItems", "max": "maxItems"},
    "object": {"min": "minProperties", "max": "maxProperties"},
    "number": {"min": "minimum", "max": "maximum"},
}
_RENAMED["integer"] = _RENAMED["number"]
#: What holds values, not rules.
_DATA = frozenset({"default", "const", "enum", "examples"})


def is_short_dialect(schema: Mapping[str, Any]) -> bool:
    """Whether this is one entry per field. A real schema says so: `$schema`, `"type": "object"` or `properties`."""
    if not schema or "$schema" in schema or schema.get("type") == "object":
        return False
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and "type" not in properties:
        return False
    return all(isinstance(entry, Mapping) for entry in schema.values())


def to_json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as JSON Schema 2020-12, whichever dialect it is in. Doing it twice changes nothing."""
    if is_short_dialect(schema):
        return {"$schema": _DIALECT} | _object(schema, guess_secrets=True)
    return {"$schema": _DIALECT, "type": "object", "properties": {}} | copy.deepcopy(dict(schema))


def _object(entries: Mapping[str, Any], *, guess_secrets: bool) -> dict[str, Any]:
    properties = {name: _field(name, entry, guess_secrets) for name, entry in entries.items()}
    required = [name for name, entry in entries.items() if isinstance(entry, Mapping) and entry.get("required") is True]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _field(name: str, entry: Any, guess_secrets: bool) -> Any:
    """One entry of the short dialect, and those inside it, as JSON Schema; what is no entry stays as it is."""
    if not isinstance(entry, Mapping):
        return entry
    kinds = kinds_of(entry)
    field = {new: value for key, value in entry.items() if not _is_flag(key, value) for new in _renamed(key, kinds)}
    for key in ("items", "additionalProperties"):
        if isinstance(field.get(key), Mapping):
            field[key] = _field("", field[key], guess_secrets)
    for key in ALTERNATIVES:
        if isinstance(field.get(key), list):
            field[key] = [_field(name, each, guess_secrets) for each in field[key]]
    if isinstance(field.get("properties"), Mapping) and (not kinds or "object" in kinds):
        field = _nested(field, guess_secrets)
    if guess_secrets and "secret" not in field and kinds == ["string"] and _SECRET_NAME.search(name):
        field["secret"] = True
    return field


def _nested(field: dict[str, Any], guess_secrets: bool) -> dict[str, Any]:
    inside = _object(field["properties"], guess_secrets=guess_secrets)
    named = field.get("required")
    required = [*inside.get("required", []), *(named if isinstance(named, list) else [])]
    whole = {"type": "object"} | field | {"properties": inside["properties"]}
    return whole | ({"required": list(dict.fromkeys(required))} if required else {})


def kinds_of(field: Mapping[str, Any]) -> list[str]:
    """The JSON types that a field names."""
    kind = field.get("type")
    return [kind] if isinstance(kind, str) else [each for each in kind if isinstance(each, str)] if kind else []


def _renamed(key: str, kinds: list[str]) -> list[str]:
    """`min` and `max` by what they limit: each type's own word, so that a field may be of several types."""
    if key not in ("min", "max"):
        return [key]
    return list(dict.fromkeys(_RENAMED[kind][key] for kind in kinds or ["number"] if kind in _RENAMED)) or [key]


def _is_flag(key: str, value: Any) -> bool:
    return key == "required" and isinstance(value, bool)


def properties_of(target: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of an object."""
    found = target.get("properties")
    return found if isinstance(found, Mapping) else {}


def resolve(field: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """The field with its local `$ref` followed; what cannot be followed is as good as no rule."""
    seen: set[str] = set()
    merged = dict(field) if isinstance(field, Mapping) else {}
    while isinstance(reference := merged.pop("$ref", None), str):
        if reference in seen or not (reference == "#" or reference.startswith("#/")):
            break
        seen.add(reference)
        target = _at(root, reference)
        merged = {**target, **merged} if isinstance(target, Mapping) else merged
    return merged


def _at(root: Mapping[str, Any], reference: str) -> Any:
    """What a local reference leads to; None when that is nothing."""
    node: Any = root
    for part in reference[2:].split("/") if reference != "#" else ():
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(node, list):
            node = node[int(key)] if key.isdigit() and int(key) < len(node) else None
        else:
            node = node.get(key) if isinstance(node, Mapping) else None
    return node


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a valid schema: references that lead nowhere, names that may take for ever to check."""
    root = to_json_schema(schema)
    for pattern in _name_patterns(root):
        if is_nested(pattern):
            return f"patternProperties {pattern}: a repeat inside a repeat may take for ever"
    has_names = "$id" in json.dumps(root, default=str)
    for reference in dict.fromkeys(_references(root)):
        if reference == "#" or reference.startswith("#/"):
            if (problem := _leads_nowhere(reference, root)) is not None:
                return problem
        elif not reference.startswith("#") and not has_names:
            return f"$ref {reference} leads out of the schema; only what is in it can be referred to"
    return None


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for key, value in node.items():
            if key not in _DATA:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _name_patterns(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        patterns = node.get("patternProperties")
        yield from (key for key in patterns if isinstance(key, str)) if isinstance(patterns, Mapping) else ()
        for key, value in node.items():
            if key not in _DATA:
                yield from _name_patterns(value)
    elif isinstance(node, list):
        for value in node:
            yield from _name_patterns(value)


def _leads_nowhere(reference: str, root: Mapping[str, Any]) -> str | None:
    seen: list[str] = []
    following: Any = reference
    while isinstance(following, str) and (following == "#" or following.startswith("#/")):
        if following in seen:
            return f"$ref {reference} leads in a circle"
        seen.append(following)
        target = _at(root, following)
        if target is None:
            return f"$ref {following} leads to nothing"
        following = target.get("$ref") if isinstance(target, Mapping) else None
    return None
