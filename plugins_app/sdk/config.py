"""Configuration: the specification's short dialect, JSON Schema, defaults, secrets and validation.

The short dialect has one entry per field (``{"timeout": {"type": "integer", "required": true, "min": 1}}``); it becomes
JSON Schema 2020-12 on the way in, and everything else here knows only that. Standard library only, but for
`validate`, which imports `jsonschema` when it is called.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

__all__ = [
    "MASK",
    "Path",
    "defaults",
    "is_short_dialect",
    "pointer",
    "resolve",
    "secret_paths",
    "to_json_schema",
    "validate",
]

#: What is shown instead of a secret, and what, sent back, means: unchanged.
MASK = "********"
#: A way into a configuration; "*" stands for every item of a list and every further key of an object.
Path = tuple[str, ...]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SECRET_NAME = re.compile(r"(^|_|-)?(api_?-?key|secret|password|token|credentials?)$", re.IGNORECASE)
_RENAMED = {
    "string": {"min": "minLength", "max": "maxLength"},
    "array": {"min": "minItems", "max": "maxItems"},
    "number": {"min": "minimum", "max": "maximum"},
}
_RENAMED["integer"] = _RENAMED["number"]
_ALTERNATIVES = ("allOf", "anyOf", "oneOf")


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
    required = [name for name, entry in entries.items() if entry.get("required") is True]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _field(name: str, entry: Mapping[str, Any], guess_secrets: bool) -> dict[str, Any]:
    renamed = _RENAMED.get(str(entry.get("type")), {})
    field = {renamed.get(key, key): value for key, value in entry.items() if not _is_flag(key, value)}
    if isinstance(field.get("items"), Mapping):
        field["items"] = _field("", field["items"], guess_secrets)
    if field.get("type") == "object" and isinstance(field.get("properties"), Mapping):
        nested = _object(field["properties"], guess_secrets=guess_secrets)
        named = entry.get("required")
        field |= nested | ({"required": list(named)} if isinstance(named, list) else {})
    if guess_secrets and "secret" not in field and field.get("type") == "string" and _SECRET_NAME.search(name):
        field["secret"] = True
    return field


def _is_flag(key: str, value: Any) -> bool:
    return key == "required" and isinstance(value, bool)


def defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the schema gives to fields nobody set."""
    translated = to_json_schema(schema)
    found: dict[str, Any] = {}
    for name, field in translated.get("properties", {}).items():
        target = resolve(field, translated)
        if "default" in target:
            found[name] = copy.deepcopy(target["default"])
        elif target.get("type") == "object" and (nested := defaults(target | _definitions(translated))):
            found[name] = nested
    return found


def _definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("$defs", "definitions") if key in schema}


def resolve(field: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """The field with its local `$ref` followed; what cannot be followed is as good as no rule."""
    seen: set[str] = set()
    merged = dict(field) if isinstance(field, Mapping) else {}
    while isinstance(reference := merged.pop("$ref", None), str):
        if reference in seen or not (reference == "#" or reference.startswith("#/")):
            break
        seen.add(reference)
        merged = {**_at(root, reference), **merged}
    return merged


def _at(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    node: Any = root
    for part in reference[2:].split("/") if reference != "#" else ():
        node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else {}


def secret_paths(schema: Mapping[str, Any]) -> list[Path]:
    """Where secrets are: fields with ``"secret": true`` or ``"format": "password"``, at any depth."""
    root = to_json_schema(schema)
    return list(dict.fromkeys(_secrets(root, root, (), ())))


def _secrets(field: Any, root: Mapping[str, Any], path: Path, entered: tuple[str, ...]) -> Iterator[Path]:
    reference = field.get("$ref") if isinstance(field, Mapping) else None
    if isinstance(reference, str):
        if reference in entered:
            return
        entered = (*entered, reference)
    target = resolve(field, root)
    if target.get("secret") is True or (target.get("format") == "password" and "secret" not in target):
        yield path
        return
    for step, child in _children(target):
        yield from _secrets(child, root, (*path, *step), entered)


def _children(target: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    properties = target.get("properties")
    for name, child in (properties if isinstance(properties, Mapping) else {}).items():
        yield (name,), child
    for key in ("items", "additionalProperties"):
        if isinstance(target.get(key), Mapping):
            yield ("*",), target[key]
    for key in _ALTERNATIVES:
        for child in target.get(key) or []:
            yield (), child


def pointer(path: Iterator[Any] | list[Any] | Path) -> str:
    """The path as a JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def validate(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[dict[str, str]]:
    """What is wrong with a configuration: ``[{"pointer", "message"}]``, one per field, never with a secret's value."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry

    translated = to_json_schema(schema)
    # An empty registry: a schema never makes the studio fetch something.
    validator = Draft202012Validator(
        translated, format_checker=Draft202012Validator.FORMAT_CHECKER, registry=Registry()
    )
    secrets = secret_paths(schema)
    by_pointer: dict[str, str] = {}
    for error in validator.iter_errors(config):
        for path, message in _messages(best_match([error]) or error, secrets):
            by_pointer.setdefault(pointer(path), message)
    return [{"pointer": where, "message": message} for where, message in sorted(by_pointer.items())]


def _messages(error: ValidationError, secrets: list[Path]) -> Iterator[tuple[list[Any], str]]:
    path = list(error.absolute_path)
    rule: Any = error.validator_value
    if error.validator == "required" and isinstance(error.instance, Mapping):
        for name in rule:
            if name not in error.instance:
                yield [*path, name], f"{name} is required"
    elif error.validator == "additionalProperties" and rule is False and isinstance(error.instance, Mapping):
        known: Any = error.schema
        for name in sorted(set(error.instance) - set(known.get("properties", {}))):
            yield [*path, name], f"{name} is not a known setting"
    else:
        yield path, _words(error, rule, is_secret=_touches(path, secrets))


def _words(error: ValidationError, rule: Any, *, is_secret: bool) -> str:
    value = "the value" if is_secret or isinstance(error.instance, dict | list) else repr(error.instance)[:80]
    words = {
        "type": f"must be of type {_listed(rule)}",
        "minimum": f"must be at least {rule}",
        "maximum": f"must be at most {rule}",
        "exclusiveMinimum": f"must be more than {rule}",
        "exclusiveMaximum": f"must be less than {rule}",
        "minLength": f"must have at least {rule} character(s)",
        "maxLength": f"must have at most {rule} character(s)",
        "minItems": f"must have at least {rule} item(s)",
        "maxItems": f"must have at most {rule} item(s)",
        "uniqueItems": "must not repeat an item",
        "enum": f"must be one of {_listed(rule)}",
        "const": f"must be {rule!r}",
        "pattern": f"must match the pattern {rule}",
        "format": f"must be a valid {rule}",
        "multipleOf": f"must be a multiple of {rule}",
    }
    fallback = "does not fit the schema's rule " + str(error.validator)
    return f"{value} {words.get(str(error.validator), fallback)}"


def _listed(rule: Any) -> str:
    return ", ".join(str(item) for item in rule) if isinstance(rule, list) else str(rule)


def _touches(path: list[Any], secrets: list[Path]) -> bool:
    """Whether the value at `path` is a secret or lies inside one."""
    return any(
        len(path) >= len(secret) and all(want in ("*", str(got)) for want, got in zip(secret, path, strict=False))
        for secret in secrets
    )
