"""A plugin's JSON Schema as django-jsonform draws it, and the form's data back as a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins_app.sdk.config import MASK, resolve, to_json_schema
from plugins_app.sdk.references import has_reference

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
    where = f"set by {stored}" if has_reference(stored) else "set"
    hint = f"{where} – leave empty to keep it" if stored == MASK or has_reference(stored) else "not set"
    return kept | {"type": "string", "format": "password", "placeholder": hint}


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
        name: _drawn(child, root, values.get(name), depth + 1)
        for name, child in (target.get("properties") or {}).items()
    }
    return drawn | {"properties": {name: field for name, field in fields.items() if field is not None}}


def _array(
    drawn: dict[str, Any], target: Mapping[str, Any], root: Mapping[str, Any], depth: int
) -> dict[str, Any] | None:
    items = _drawn(target.get("items") or {"type": "string"}, root, MASK, depth + 1)
    return drawn | {"items": items} if items is not None else None


def form_data(config: Mapping[str, Any], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The masked configuration as the form starts with it: drawn fields only, secrets empty."""
    return {name: _shown(config[name], field) for name, field in drawn.get("properties", {}).items() if name in config}


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
    for name, field in drawn.get("properties", {}).items():
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
        config[name] = [_item(item, field["items"], olds[i : i + 1]) for i, item in enumerate(value or [])]
        if not config[name] and before is None:
            del config[name]
    elif value in ("", None):
        if field.get("format") == "password" or (value == "" and before == ""):
            return  # unchanged
        config.pop(name, None)
    else:
        config[name] = value


def _item(item: Any, field: Mapping[str, Any], old: list[Any]) -> Any:
    if field["type"] == "object":
        before = old[0] if old and isinstance(old[0], Mapping) else {}
        kept = before if _is_same(item, before) else {k: v for k, v in before.items() if v == MASK}
        return config_from_form(item or {}, field, kept)
    return MASK if field.get("format") == "password" and item == "" and old else item


def _is_same(item: Any, before: Mapping[str, Any]) -> bool:
    """Whether an item is the one that stood there: then it keeps what the form does not show, such as free keys."""
    given = item if isinstance(item, Mapping) else {}
    return any(before.get(key) not in (None, "") and given.get(key) == before[key] for key in ("id", "name"))


def coordinates(pointer: str) -> str:
    """A JSON Pointer as django-jsonform names a field."""
    return "§".join(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
