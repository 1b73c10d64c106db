"""The effective configuration: schema defaults < the folder's config.json < what is stored < `${ENV:NAME}`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from plugins_app.models import Plugin, PluginVersion
from plugins_app.sdk.config import MASK, defaults, pointer, secret_paths, with_defaults
from plugins_app.sdk.references import names_in

from . import secrets
from .errors import StudioError
from .resolving import config_problem, resolved

__all__ = [
    "authors_variables",
    "check_references",
    "config_error",
    "effective",
    "merged",
    "operator_config",
    "require_valid",
]


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
    layers = merged(secrets.seal(merged(defaults(schema), version.default_config), schema), stored)
    return secrets.seal(with_defaults(layers, schema, secrets.is_sealed), schema)


def operator_config(plugin: Plugin, version: PluginVersion, given: Mapping[str, Any], *, keep: bool) -> dict[str, Any]:
    """What is to be stored when an operator gives `given`: masks resolved, secrets encrypted, not yet validated.

    With `keep` it is laid over what was stored before (a merge), else it takes its place.
    """
    schema = version.metadata.get("config_schema") or {}
    unmasked, errors = secrets.unmask(given, effective(version, plugin.config))
    errors += _orphans(unmasked, schema)
    if errors:
        raise config_error(plugin.id, errors)
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
    """Raise `config_invalid` with one error per field.

    Variables that are not set here are not held against it: the plugin host's own environment decides.
    """
    schema = version.metadata.get("config_schema") or {}
    try:
        found = resolved(config, schema, os.environ, elsewhere=True)
    except ValueError as error:
        raise StudioError("config_invalid", f"{plugin_id}: {error}.") from error
    if found.errors:
        raise config_error(plugin_id, found.errors)


def config_error(plugin_id: str, errors: list[dict[str, str]]) -> StudioError:
    """`config_invalid`, with one error per field."""
    problem = config_problem(plugin_id, errors)
    return StudioError("config_invalid", problem["detail"], hint=problem["hint"], errors=errors)


def authors_variables(schema: Mapping[str, Any], default_config: Mapping[str, Any]) -> set[str]:
    """The variables that a plugin's author refers to, in the schema's defaults or in config.json."""
    by_schema = set(_default_names(schema))
    try:
        return by_schema | names_in(secrets.reveal(default_config))
    except ValueError:
        return by_schema  # what cannot be decrypted cannot be used either


def _default_names(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from names_in(value) if key == "default" else _default_names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _default_names(value)


def check_references(plugin_id: str, version: PluginVersion, config: Mapping[str, Any], granted: Iterable[str]) -> None:
    """Raise `permission_required` for a variable that the author wants and nobody granted.

    An operator's own reference needs no permission. One that the author wrote too counts as the author's: a form
    that was saved unchanged must not grant it.
    """
    schema = version.metadata.get("config_schema") or {}
    try:
        used = names_in(secrets.reveal(config))
    except ValueError:
        return  # `require_valid` says why
    missing = sorted({f"env:{name}" for name in used & authors_variables(schema, version.default_config)} - {*granted})
    if missing:
        names, quoted = ", ".join(missing), ", ".join(f'"{name}"' for name in missing)
        raise StudioError(
            "permission_required",
            f"The configuration that {plugin_id} comes with refers to {names}, which nobody has granted.",
            hint=f'Grant it in the admin, load it with "grant": [{quoted}], or store another value.',
            errors=[{"pointer": "/grant", "message": f"{name} is not granted"} for name in missing],
        )
