"""The effective configuration: schema defaults < the folder's config.json < what is stored < what is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins_app.models import Plugin, PluginVersion
from plugins_app.sdk.config import MASK, defaults, pointer, secret_paths, validate

from . import secrets
from .errors import StudioError

__all__ = ["effective", "merged", "operator_config", "require_valid"]


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` on top, objects merged; an encrypted secret counts as one value."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        plain = both and not secrets.is_sealed(below) and not secrets.is_sealed(value)
        result[key] = merged(below, value) if plain else value  # type: ignore[arg-type]
    return result


def effective(version: PluginVersion, stored: Mapping[str, Any]) -> dict[str, Any]:
    """What the plugin gets, secrets encrypted: also those that were no secrets yet when they were stored."""
    schema = version.metadata.get("config_schema") or {}
    base = secrets.seal(defaults(schema), schema)
    return secrets.seal(merged(merged(base, version.default_config), stored), schema)


def operator_config(plugin: Plugin, version: PluginVersion, given: Mapping[str, Any], *, keep: bool) -> dict[str, Any]:
    """What is to be stored when an operator gives `given`: masks resolved, secrets encrypted, not yet validated.

    With `keep` it is laid over what was stored before (a merge), else it takes its place.
    """
    schema = version.metadata.get("config_schema") or {}
    unmasked, errors = secrets.unmask(given, effective(version, plugin.config))
    errors += _orphans(unmasked, schema)
    if errors:
        raise _invalid(plugin.id, errors)
    sealed = secrets.seal(unmasked, schema)
    return merged(plugin.config, sealed) if keep else sealed


def _orphans(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[dict[str, str]]:
    """Masks that stand for nothing."""
    message = f"{MASK} means: unchanged, but no secret is stored; send the secret itself"
    found: list[tuple[Any, ...]] = []
    for path in secret_paths(schema):
        found += _masked_at(config, path, ())
    return [{"pointer": pointer(path), "message": message} for path in found]


def _masked_at(value: Any, path: tuple[str, ...], done: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    if not path:
        return [done] if value == MASK else []
    step, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        keys = list(value) if step == "*" else [key for key in (step,) if key in value]
        return [hit for key in keys for hit in _masked_at(value[key], rest, (*done, key))]
    if isinstance(value, list) and step == "*":
        return [hit for index, item in enumerate(value) for hit in _masked_at(item, rest, (*done, index))]
    return []


def require_valid(plugin_id: str, version: PluginVersion, config: Mapping[str, Any]) -> None:
    """Raise `config_invalid` with one error per field."""
    try:
        plain = secrets.reveal(config)
    except ValueError as error:
        raise StudioError("config_invalid", f"{plugin_id}: {error}.") from error
    errors = validate(plain, version.metadata.get("config_schema") or {})
    if errors:
        raise _invalid(plugin_id, errors)


def _invalid(plugin_id: str, errors: list[dict[str, str]]) -> StudioError:
    words = "; ".join(f"{error['pointer'] or '/'}: {error['message']}" for error in errors[:5])
    return StudioError(
        "config_invalid",
        f"The configuration of {plugin_id} is invalid: {words}.",
        hint="Correct the fields.",
        errors=errors,
    )
