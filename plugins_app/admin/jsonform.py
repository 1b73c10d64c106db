"""A plugin's JSON Schema as django-jsonform draws it, and the form's data back as a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins_app.sdk.config import MASK, resolve, to_json_schema
from plugins_app.sdk.references import has_reference
from plugins_app.services.secrets import is_same_item, item_name

__all__ = ["config_from_form", "coordinates", "form_data", "form_schema"]

_KEPT = (
    "title",
    "default",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "readOnly",
)
_SCALARS = ("string", "integer", "number", "boolean")
_FORMATS = ("date", "time", "date-time", "email")
_DEPTH = 6
#: In place of a stored value: there may be several of its kind, and what is drawn is drawn for all of them.
_SOME = object()


def form_schema(schema: Mapping[str, Any], stored: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What django-jsonform draws. Fields it cannot draw are left out; they keep their values.

    `stored` is the masked configuration: it says which secrets are set.
    """
    root = to_json_schema(schema)
    drawn = _drawn(root, root, stored or {}, 0) or {}
    return {"type": "object", "title": " ", "properties": drawn.get("properties", {})}


def _drawn(field: Any, root: Mapping[str, Any], stored: Any, depth: int) -> dict[str, Any] | None:
    target = resolve(field, root)
    kind = _kind(target)
    if kind is None or depth > _DEPTH:
        return None
    drawn = {"type": kind} | {key: target[key] for key in _KEPT if key in target}
    if target.get("description"):
        drawn["help_text"] = target["description"]
    if _is_secret(target):
        return _secret(drawn, stored)
    if has_reference(stored) and kind != "string":
        return _reference(drawn)
    if kind in _SCALARS:
        return drawn | _choices(target) | _format(target)
    return _object(drawn, target, root, stored, depth) if kind == "object" else _array(drawn, target, root, depth)


def _kind(target: Mapping[str, Any]) -> str | None:
    kind = target.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), None)
    if kind is None and "properties" in target:
        kind = "object"
    if kind is None and target.get("enum") and all(isinstance(each, str) for each in target["enum"]):
        kind = "string"
    return kind if kind in (*_SCALARS, "object", "array") else None


def _is_secret(target: Mapping[str, Any]) -> bool:
    return target.get("secret") is True or (target.get("format") == "password" and "secret" not in target)


def _secret(drawn: dict[str, Any], stored: Any) -> dict[str, Any]:
    """An empty password input; what is stored never reaches the page."""
    kept = {key: drawn[key] for key in ("title", "help_text", "maxLength") if key in drawn}
    return kept | {"type": "string", "format": "password", "placeholder": _hint(stored)}


def _hint(stored: Any) -> str:
    if stored is _SOME:
        return "leave empty to keep what is set"
    where = f"set by {stored}" if has_reference(stored) else "set"
    return f"{where} – leave empty to keep it" if stored == MASK or has_reference(stored) else "not set"


def _reference(drawn: dict[str, Any]) -> dict[str, Any]:
    """A text where a number, a list or an object would be: it names the variable that holds it."""
    kept = {key: drawn[key] for key in ("title", "help_text") if key in drawn}
    words = "From the environment. Save it empty to enter a value instead."
    return kept | {"type": "string", "help_text": f"{kept.get('help_text', '')} {words}".strip()}


def _choices(target: Mapping[str, Any]) -> dict[str, Any]:
    return {"enum": list(target["enum"])} if target.get("enum") else {}


def _format(target: Mapping[str, Any]) -> dict[str, Any]:
    if target.get("format") in _FORMATS:
        return {"format": target["format"]}
    is_long = target.get("type") == "string" and int(target.get("maxLength") or 0) > 200
    return {"widget": "textarea"} if is_long and not target.get("enum") else {}


def _object(
    drawn: dict[str, Any], target: Mapping[str, Any], root: Mapping[str, Any], stored: Any, depth: int
) -> dict[str, Any]:
    values = stored if isinstance(stored, Mapping) else {}
    fields = {
        name: _drawn(child, root, _SOME if stored is _SOME else values.get(name), depth + 1)
        for name, child in (target.get("properties") or {}).items()
    }
    drawn["properties"] = {name: field for name, field in fields.items() if field is not None}
    return drawn | _free_keys(target, root, depth) if None not in fields.values() else drawn


def _free_keys(target: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """What stands under keys of the operator's own, such as HTTP headers, where all of them are of one kind."""
    allowed = target.get("additionalProperties")
    field = _drawn(allowed, root, _SOME, depth + 1) if isinstance(allowed, Mapping) else None
    return {"additionalProperties": field} if field is not None else {}


def _array(
    drawn: dict[str, Any], target: Mapping[str, Any], root: Mapping[str, Any], depth: int
) -> dict[str, Any] | None:
    items = _drawn(target.get("items") or {"type": "string"}, root, _SOME, depth + 1)
    return drawn | {"items": items} if items is not None else None


def form_data(config: Mapping[str, Any], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The masked configuration as the form starts with it: drawn fields only, secrets empty."""
    fields = _fields(drawn, config)
    return {name: _shown(config[name], field) for name, field in fields.items() if name in config}


def _fields(drawn: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The drawn fields of an object, those under the free keys of `data` among them."""
    free = drawn.get("additionalProperties")
    return ({} if free is None else dict.fromkeys(data, free)) | drawn.get("properties", {})


def _shown(value: Any, field: Mapping[str, Any]) -> Any:
    if field.get("format") == "password":
        return ""
    if field["type"] == "object":
        return form_data(value, field) if isinstance(value, Mapping) else {}
    if field["type"] == "array":
        return [_shown(item, field["items"]) for item in value] if isinstance(value, list) else []
    return value


def config_from_form(data: Mapping[str, Any], drawn: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What the operator means: an empty secret is unchanged, an empty field that was not set stays so.

    `before` is the masked configuration the form was drawn from; what the form did not show is taken from it.
    """
    config = dict(before)
    for name in [] if "additionalProperties" not in drawn else before:
        if name not in data and name not in drawn["properties"]:
            del config[name]
    for name, field in _fields(drawn, data).items():
        if name in data:
            _put(config, name, data[name], field, before.get(name))
    return config


def _put(config: dict[str, Any], name: str, value: Any, field: Mapping[str, Any], before: Any) -> None:
    if field["type"] == "object":
        config[name] = config_from_form(value or {}, field, before if isinstance(before, Mapping) else {})
        if not config[name] and before is None:
            del config[name]
    elif field["type"] == "array":
        olds = before if isinstance(before, list) else []
        config[name] = _items(value or [], field["items"], olds)
        if not config[name] and before is None:
            del config[name]
    elif value in ("", None):
        if field.get("format") == "password" or (value == "" and before == ""):
            return  # unchanged
        config.pop(name, None)
    else:
        config[name] = value


def _items(items: list[Any], field: Mapping[str, Any], olds: list[Any]) -> list[Any]:
    if field["type"] == "object":
        return [config_from_form(item or {}, field, _before(i, items, olds)) for i, item in enumerate(items)]
    is_secret = field.get("format") == "password"
    return [MASK if is_secret and item == "" and i < len(olds) else item for i, item in enumerate(items)]


def _before(index: int, items: list[Any], olds: list[Any]) -> Mapping[str, Any]:
    """What an item was before: the one that was called the same, else the one in its place if it is nobody else's."""
    if named := next((old for old in olds if is_same_item(items[index], old)), None):
        return named
    there = olds[index] if index < len(olds) and isinstance(olds[index], Mapping) else {}
    if any(is_same_item(item, there) for item in items):
        return {}
    return there if item_name(there) else {key: value for key, value in there.items() if value == MASK}


def coordinates(pointer: str) -> str:
    """A JSON Pointer as django-jsonform names a field."""
    return "§".join(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
