"""Configuration: defaults, secrets and validation, whichever dialect its schema is written in (`dialect`).

Standard library only, but for `validate`, which imports `jsonschema` when it is called.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .dialect import (
    ALTERNATIVES,
    is_short_dialect,
    kinds_of,
    properties_of,
    resolve,
    schema_problem,
    to_json_schema,
)
from .patterns import matches

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

__all__ = [
    "MASK",
    "Path",
    "defaults",
    "is_secret_path",
    "is_short_dialect",
    "kinds_at",
    "pointer",
    "resolve",
    "schema_problem",
    "secret_paths",
    "to_json_schema",
    "validate",
    "with_defaults",
]

#: What is shown instead of a secret, and what, sent back, means: unchanged.
MASK = "********"
#: A way into a configuration; "*" stands for every item of a list and every further key of an object.
Path = tuple[str, ...]

#: Rules about a value as a whole that a part of it, which is not known yet, may decide.
_DECIDED_BY_PARTS = frozenset({"anyOf", "oneOf", "not", "contains", "uniqueItems", "if", "const", "enum"})
_NOTHING: Any = object()


def defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the schema gives to fields nobody set."""
    return with_defaults({}, schema)


def with_defaults(
    config: Mapping[str, Any], schema: Mapping[str, Any], is_opaque: Callable[[Any], bool] = lambda value: False
) -> dict[str, Any]:
    """The configuration with the schema's defaults beneath it, in nested objects and in the items of lists as well.

    An optional object that nobody gave is made of its defaults only if that makes it whole. What `is_opaque` is left
    alone: an encrypted value, say.
    """
    root = to_json_schema(schema)
    filled: dict[str, Any] = _filled(config, root, _Filling(root, is_opaque), ("#",))
    return filled


@dataclass(frozen=True, slots=True)
class _Filling:
    root: Mapping[str, Any]
    is_opaque: Callable[[Any], bool]


def _filled(value: Any, field: Any, filling: _Filling, entered: tuple[str, ...]) -> Any:
    entered = _entering(field, entered)
    target = resolve(field, filling.root)
    if isinstance(value, Mapping) and not filling.is_opaque(value):
        result = dict(value)
        for name, child in properties_of(target).items():
            below = _filled(result[name], child, filling, entered) if name in result else None
            made = below if name in result else _made(child, name in _required(target), filling, entered)
            if made is not _NOTHING:
                result[name] = made
        for part in target.get("allOf") or []:
            result = _filled(result, part, filling, entered)
        return result
    if isinstance(value, list) and isinstance(target.get("items"), Mapping):
        return [_filled(item, target["items"], filling, entered) for item in value]
    return value


def _made(field: Any, required: bool, filling: _Filling, entered: tuple[str, ...]) -> Any:
    """What a field that is not there becomes; a schema that contains itself is not followed for ever."""
    if isinstance(field, Mapping) and field.get("$ref") in entered:
        return _NOTHING
    target = resolve(field, filling.root)
    if "default" in target:
        return _filled(copy.deepcopy(target["default"]), field, filling, entered)
    if not properties_of(target):
        return _NOTHING
    whole = _filled({}, field, filling, entered)
    is_whole = all(name in whole for name in _required(target))
    return whole if whole and (required or is_whole) else _NOTHING


def _entering(field: Any, entered: tuple[str, ...]) -> tuple[str, ...]:
    reference = field.get("$ref") if isinstance(field, Mapping) else None
    return (*entered, reference) if isinstance(reference, str) else entered


def _required(target: Mapping[str, Any]) -> list[str]:
    found = target.get("required")
    return found if isinstance(found, list) else []


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
    for name, child in properties_of(target).items():
        yield (name,), child
    for key in ("items", "additionalProperties", "contains", "unevaluatedItems", "unevaluatedProperties"):
        if isinstance(target.get(key), Mapping):
            yield ("*",), target[key]
    for key in (*ALTERNATIVES, "prefixItems"):
        for child in target.get(key) or []:
            yield (("*",) if key == "prefixItems" else ()), child
    for key in ("patternProperties", "dependentSchemas"):
        for child in (target.get(key) or {}).values():
            yield (("*",) if key == "patternProperties" else ()), child
    for key in ("if", "then", "else"):
        if isinstance(target.get(key), Mapping):
            yield (), target[key]


def kinds_at(schema: Mapping[str, Any], path: Sequence[Any]) -> list[str]:
    """The JSON types that the field at `path` may have; none: nothing is said about it."""
    root = to_json_schema(schema)
    fields: list[Any] = [root]
    for step in path:
        fields = [child for field in _alternatives(fields, root) for child in _at_step(field, step)]
    kinds = [kind for field in _alternatives(fields, root) for kind in kinds_of(field)]
    return list(dict.fromkeys(kinds))


def _alternatives(fields: Sequence[Any], root: Mapping[str, Any], depth: int = 0) -> Iterator[dict[str, Any]]:
    """The fields, resolved, and everything that each may be or must be as well."""
    for field in fields if depth < 8 else ():
        target = resolve(field, root)
        yield target
        for key in ALTERNATIVES:
            yield from _alternatives(target.get(key) or [], root, depth + 1)


def _at_step(target: Mapping[str, Any], step: Any) -> list[Any]:
    if isinstance(step, int):
        prefix = target.get("prefixItems") or []
        return [prefix[step]] if step < len(prefix) else [target["items"]] if "items" in target else []
    if step in properties_of(target):
        return [properties_of(target)[step]]
    return [target["additionalProperties"]] if isinstance(target.get("additionalProperties"), Mapping) else []


def pointer(path: Iterator[Any] | list[Any] | Path) -> str:
    """The path as a JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def validate(
    config: Mapping[str, Any],
    schema: Mapping[str, Any],
    *,
    hidden: Sequence[Sequence[Any]] = (),
    unknown: Sequence[Sequence[Any]] = (),
) -> list[dict[str, str]]:
    """What is wrong with a configuration: ``[{"pointer", "message"}]``, one per field, never with a secret's value.

    The values at the paths in `hidden` are not shown either; those in `unknown` are not known yet, so nothing about
    them is wrong.
    """
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    translated, kind = to_json_schema(schema), _validator()
    # An empty registry: a schema never makes the studio fetch something.
    validator = kind(translated, format_checker=kind.FORMAT_CHECKER, registry=Registry())
    secrets = [*secret_paths(schema), *(tuple(map(str, path)) for path in hidden)]
    by_pointer: dict[str, str] = {}
    try:
        for error in validator.iter_errors(config):
            for path, message in _told(error, secrets, unknown):
                by_pointer.setdefault(pointer(path), message)
    except Unresolvable as error:
        by_pointer[""] = f"the schema refers to something that is not there: {error.ref}"
    except RecursionError:
        by_pointer[""] = "the schema, or the configuration, is nested too deeply"
    return [{"pointer": where, "message": message} for where, message in sorted(by_pointer.items())]


_ASCII = "".join(map(chr, range(128)))


@cache
def _validator() -> Any:
    """JSON Schema's own rules, but for patterns: those come from anybody, and may take any time."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    def pattern(validator: Any, rule: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not matches(rule, instance):
            yield ValidationError(f"does not match {rule!r}")

    kind: Any = extend(Draft202012Validator, {"pattern": pattern})  # type: ignore[no-untyped-call]
    kind.FORMAT_CHECKER = _formats(kind.FORMAT_CHECKER)
    return kind


def _formats(known: Any) -> Any:
    """The formats that jsonschema checks, with IRIs: those are URIs once what is not ASCII is written in percents."""
    checker = copy.copy(known)
    checker.checkers = dict(known.checkers)
    for name, plain in (("iri", "uri"), ("iri-reference", "uri-reference")):

        def check(value: object, plain: str = plain) -> bool:
            return not isinstance(value, str) or bool(known.conforms(quote(value, safe=_ASCII), plain))

        checker.checks(name)(check)
    return checker


def _told(
    error: ValidationError, secrets: list[Path], unknown: Sequence[Sequence[Any]]
) -> Iterator[tuple[list[Any], str]]:
    from jsonschema.exceptions import best_match

    if not _concerns_unknown(error, unknown):
        for path, message in _messages(best_match([error]) or error, secrets):
            if not any(path[: len(each)] == list(each) for each in unknown):
                yield path, message


def _concerns_unknown(error: ValidationError, unknown: Sequence[Sequence[Any]]) -> bool:
    path = list(error.absolute_path)
    if any(path == list(each)[: len(path)] for each in unknown) and str(error.validator) in _DECIDED_BY_PARTS:
        return True
    return any(path[: len(each)] == list(each) for each in unknown)


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
        yield path, _words(error, rule, is_secret=is_secret_path(path, secrets))


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


def is_secret_path(path: Sequence[Any], secrets: Sequence[Path]) -> bool:
    """Whether the value at `path` is a secret or lies inside one."""
    return any(
        len(path) >= len(secret) and all(want in ("*", str(got)) for want, got in zip(secret, path, strict=False))
        for secret in secrets
    )
