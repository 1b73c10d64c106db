"""Reading `plugin.toml`: data only, no plugin code. An unknown key is an error that says what was meant."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from .metadata import Limits, PluginMetadata, PluginType
from .references import studio_owns

__all__ = ["MANIFEST_NAME", "ManifestError", "read_manifest"]

MANIFEST_NAME = "plugin.toml"
_OPTIONAL = re.compile(r"(network|files|env|host):.|subprocess$")
_KINDS: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}
_LIMIT_TYPES: dict[str, tuple[type, ...]] = {
    f.name: (int,) if f.name in ("memory_mb", "concurrency") else (int, float) for f in fields(Limits)
}
_KEYS: dict[str, dict[str, tuple[type, ...]]] = {
    "plugin": {
        **{key: (str,) for key in ("id", "name", "version", "author", "description", "type")},
        **{key: (str,) for key in ("license", "homepage", "repository", "entry")},
        "tags": (list,),
    },
    "compat": {"app": (str,), "sdk": (str, int)},
    "python": {"requirements": (list,), "requirements_no_deps": (list,)},
    "config": {"schema": (str, dict), "version": (int,), "migrations": (str,)},
    "permissions": {
        **{kind: (list,) for kind in ("network", "files", "env", "host", "optional")},
        "subprocess": (bool,),
    },
    "limits": _LIMIT_TYPES,
    "middleware": {"priority": (int,), "on_error": (str,)},
    "ui": {"entry": (str,), "mounts": (list,), "isolation": (str,)},
}
_REQUIRED = ("id", "name", "version", "type")
_CHOICES = {
    ("plugin", "type"): tuple(PluginType),
    ("middleware", "on_error"): ("fail", "skip"),
    ("ui", "isolation"): ("page", "iframe"),
}


class ManifestError(ValueError):
    """`plugin.toml` cannot be used; `problems` says why, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_manifest(path: Path) -> PluginMetadata:
    """Read and check the manifest at `path`.

    Raises:
        ManifestError: with everything that is wrong in it, not only the first thing.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError([f"{path.name} is not valid TOML: {error}"]) from error
    problems = _check_tables(data)
    if problems:
        raise ManifestError(problems)
    metadata = _metadata(data, path.parent)
    if problems := metadata.problems():
        raise ManifestError(problems)
    return metadata


def _check_tables(data: Mapping[str, Any]) -> list[str]:
    """What is wrong with the keys, their types and their choices."""
    problems = _unknown(data, [*_KEYS, "dependencies"], "")
    for table, known in _KEYS.items():
        values = data.get(table, {})
        if not isinstance(values, dict):
            problems.append(f"[{table}] must be a table")
            continue
        problems += _unknown(values, list(known), f"{table}.")
        problems += [p for key, types in known.items() if (p := _wrong(values, table, key, types))]
    problems += _wrong_dependencies(data.get("dependencies", {}))
    problems += _wrong_variables(data.get("permissions", {}))
    problems += _wrong_optional(data.get("permissions", {}))
    plugin = data.get("plugin", {})
    missing = [f"plugin.{key}" for key in _REQUIRED if not (isinstance(plugin, dict) and plugin.get(key))]
    return problems + ([f"{', '.join(missing)} must be given"] if missing else [])


def _unknown(values: Mapping[str, Any], known: list[str], prefix: str) -> list[str]:
    problems = []
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0) or known[:1]
            problems.append(f"unknown key {prefix}{key}: the nearest known one is {prefix}{near[0]}")
    return problems


def _wrong(values: Mapping[str, Any], table: str, key: str, types: tuple[type, ...]) -> str | None:
    if key not in values:
        return None
    value, name = values[key], f"{table}.{key}"
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        wanted = " or ".join(_KINDS.get(kind, "a number") for kind in types if kind is not float)
        return f"{name} must be {wanted}, not {value!r}"
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return f"{name} must be a list of strings"
    if isinstance(value, int | float) and table == "limits" and (value < 0 or (value == 0 and key != "soak_s")):
        return f"{name} must be more than 0"
    if (table, key) == ("config", "version") and isinstance(value, int) and not 1 <= value <= 1000:
        return f"{name} must be from 1 to 1000"
    choices = _CHOICES.get((table, key))
    return f"{name} must be one of {', '.join(choices)}, not {value!r}" if choices and value not in choices else None


def _wrong_variables(permissions: Any) -> list[str]:
    asked = permissions.get("env", []) if isinstance(permissions, dict) else []
    own = [name for name in asked if isinstance(name, str) and studio_owns(name)] if isinstance(asked, list) else []
    return [f"permissions.env: {name} is the studio's own; a plugin cannot have it" for name in own]


def _wrong_optional(permissions: Any) -> list[str]:
    optional = permissions.get("optional") if isinstance(permissions, dict) else None
    listed = optional if isinstance(optional, list) else []
    wrong = [each for each in listed if isinstance(each, str) and not _OPTIONAL.match(each)]
    return [f"permissions.optional: {each!r} is not written kind:value, as in network:*" for each in wrong]


def _wrong_dependencies(dependencies: Any) -> list[str]:
    if not isinstance(dependencies, dict):
        return ["[dependencies] must be a table"]
    optional = dependencies.get("optional", {})
    if not isinstance(optional, dict):
        return ["[dependencies.optional] must be a table"]
    ranges = {key: value for key, value in dependencies.items() if key != "optional"} | optional
    return [
        f"dependencies.{key} must be a version range in a string"
        for key, value in ranges.items()
        if type(value) is not str
    ]


def _metadata(data: dict[str, Any], folder: Path) -> PluginMetadata:
    plugin, compat = data["plugin"], data.get("compat", {})
    python, config = data.get("python", {}), data.get("config", {})
    dependencies = dict(data.get("dependencies", {}))
    optional = dependencies.pop("optional", {})
    return PluginMetadata(
        id=plugin["id"],
        name=plugin["name"],
        version=plugin["version"],
        author=plugin.get("author", ""),
        description=plugin.get("description", ""),
        plugin_type=PluginType(plugin["type"]),
        dependencies=[_requirement(key, value) for key, value in dependencies.items()],
        optional_dependencies=[_requirement(key, value) for key, value in optional.items()],
        config_schema=_schema(config.get("schema", {}), folder),
        tags=plugin.get("tags", []),
        homepage=plugin.get("homepage"),
        repository=plugin.get("repository"),
        license=plugin.get("license", "MIT"),
        entry=plugin.get("entry"),
        app=compat.get("app"),
        sdk=str(compat["sdk"]) if "sdk" in compat else None,
        requirements=python.get("requirements", []),
        requirements_no_deps=python.get("requirements_no_deps", []),
        config_version=config.get("version", 1),
        config_migrations=_migrations(config.get("migrations"), folder),
        permissions=data.get("permissions", {}),
        limits=data.get("limits", {}),
        middleware=data.get("middleware", {}),
        ui=data.get("ui", {}),
    )


def _requirement(plugin_id: str, versions: str) -> str:
    return plugin_id if versions.strip() in ("", "*") else f"{plugin_id} {versions.strip()}"


def _migrations(name: str | None, folder: Path) -> str | None:
    """The name of a Python file inside the plugin's folder."""
    if name is None:
        return None
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or path.suffix != ".py" or not path.is_file():
        raise ManifestError([f"config.migrations: {name} is no Python file in the plugin's folder"])
    return name


def _schema(schema: str | dict[str, Any], folder: Path) -> dict[str, Any]:
    """The schema itself; a string names a JSON file inside the plugin's folder."""
    if isinstance(schema, dict):
        return schema
    path = (folder / schema).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ManifestError([f"config.schema: {schema} lies outside the plugin's folder"])
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ManifestError([f"config.schema: {schema} cannot be read as JSON: {error}"]) from error
    if not isinstance(loaded, dict):
        raise ManifestError([f"config.schema: {schema} must hold a JSON object"])
    return loaded
