"""What plugins say of themselves, one by one: what cannot be used is left out, and the log says why.

A vendor refuses a whole request for one tool with a bad schema, so that one must not get into it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

__all__ = ["Problem", "action_problem", "model_problem", "seconds", "usable"]

_log = logging.getLogger(__name__)
_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_SCHEMAS_BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_DEEPEST = 40

Problem = Callable[[Mapping[str, Any]], str | None]


def usable(answer: Any, what: str, problem_of: Problem) -> list[dict[str, Any]] | None:
    """The usable ones of a list; None when it is no list. `what` names it in the log."""
    if not isinstance(answer, list):
        _log.warning("%s returned %s, not a list", what, type(answer).__name__)
        return None
    found = []
    for one in answer:
        problem = problem_of(one) if isinstance(one, dict) else f"a {type(one).__name__} is no dict"
        if problem is None:
            found.append(one)
        else:
            _log.warning("%s: one is left out: %s", what, problem)
    return found


def model_problem(model: Mapping[str, Any]) -> str | None:
    """Why this cannot be listed as a model."""
    if not _is_word(model.get("id")):
        return f"its id is {model.get('id')!r}, not text"
    return _text_problem(model, ("name", "description")) or _json_problem(model)


def action_problem(action: Mapping[str, Any]) -> str | None:
    """Why this cannot be offered as a tool."""
    name = action.get("name")
    if not _is_word(name):
        return f"its name is {name!r}, not text"
    parameters = action.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        return f"the parameters of {name} are of type {type(parameters).__name__}, not a JSON Schema"
    if parameters.get("type", "object") != "object":
        return f"the parameters of {name} must be of type 'object', not {parameters['type']!r}"
    problem = _text_problem(action, ("description", "title")) or _json_problem(action) or _schema_problem(parameters)
    return problem and f"{name}: {problem}"


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _text_problem(found: Mapping[str, Any], names: Sequence[str]) -> str | None:
    unfit = next((name for name in names if not isinstance(found.get(name), str | None)), None)
    return unfit and f"its {unfit} is {found[unfit]!r}, not text"


def _json_problem(found: Mapping[str, Any]) -> str | None:
    try:
        orjson.dumps(found)
    except (TypeError, RecursionError) as error:
        return f"it is not JSON: {error}"
    return None


def _schema_problem(schema: Any, where: str = "", depth: int = 0) -> str | None:
    """What makes this no JSON Schema, as far as vendors look at it."""
    if isinstance(schema, bool):
        return None
    if not isinstance(schema, Mapping):
        return f"{where or '/'} is {schema!r}, not a JSON Schema"
    if depth > _DEEPEST:
        return f"its JSON Schema is nested more than {_DEEPEST} deep"
    inner = _own_problem(schema)
    if inner:
        return f"{where or '/'}: {inner}"
    parts = ((f"{where}/{path}", part) for path, part in _parts(schema))
    return next((found for path, part in parts if (found := _schema_problem(part, path, depth + 1))), None)


def _own_problem(schema: Mapping[str, Any]) -> str | None:
    types = schema.get("type", [])
    if not all(one in _TYPES for one in (types if isinstance(types, list) else [types]) if isinstance(one, str)):
        return f"type {types!r} is none of JSON Schema's"
    if not isinstance(types, str | list):
        return f"type is {types!r}"
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return f"required is {required!r}, not a list of the names of properties"
    if not isinstance(schema.get("enum", []), list):
        return f"enum is {schema['enum']!r}, not a list"
    unfit = next((key for key in _SCHEMAS_BY_NAME if not isinstance(schema.get(key, {}), Mapping)), None)
    unfit = unfit or next((key for key in _LISTS_OF_SCHEMAS if not isinstance(schema.get(key, []), list)), None)
    return unfit and f"{unfit} is {schema[unfit]!r}"


def _parts(schema: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The schemas in a schema, with their paths."""
    named = [(f"{key}/{name}", part) for key in _SCHEMAS_BY_NAME for name, part in schema.get(key, {}).items()]
    listed = [(f"{key}/{i}", part) for key in _LISTS_OF_SCHEMAS for i, part in enumerate(schema.get(key, []))]
    single = [(key, schema[key]) for key in _SCHEMAS if key in schema and not isinstance(schema[key], list)]
    return [*named, *listed, *single]


def seconds(found: Any) -> float | None:
    """A time limit, if that is one."""
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and math.isfinite(found) and found > 0 else None
