"""What a plugin's folder says of itself: metadata, schema, default configuration. No row is written here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugins_app.client.inspection import inspect_plugin
from plugins_app.models import PluginVersion
from plugins_app.process.scrubbing import Scrubber
from plugins_app.sdk import PluginMetadata
from plugins_app.sdk.config import MASK, is_short_dialect, schema_problem, to_json_schema
from plugins_app.sdk.manifest import MANIFEST_NAME, ManifestError, read_manifest
from plugins_app.sdk.metadata import PLUGIN_ID
from plugins_app.sdk.references import studio_owns

from . import secrets
from .configs import authors_variables
from .dependencies import dependency_problems
from .errors import StudioError
from .resolving import texts_of
from .snapshots import Snapshot, snapshot_path, snapshot_show_config, snapshot_take

__all__ = ["FolderFacts", "folder_facts"]


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """What is kept of a version: its metadata, and its config.json with the secrets encrypted."""

    metadata: dict[str, Any]
    default_config: dict[str, Any]


def folder_facts(*, plugin_id: str, folder: Path) -> tuple[str, FolderFacts]:
    """Take the folder into the store; returns the digest, and what it says of itself.

    Raises:
        StudioError: why it cannot be used.
    """
    snapshot = snapshot_take(plugin_id=plugin_id, folder=folder)
    facts = _facts(plugin_id, folder.name, snapshot)
    snapshot_show_config(plugin_id, snapshot.digest, secrets.mask(facts.default_config))
    return snapshot.digest, facts


def _facts(plugin_id: str, folder: str, taken: Snapshot) -> FolderFacts:
    """The metadata and default configuration of a snapshot; remembered by digest."""
    known = PluginVersion.objects.filter(plugin_id=plugin_id, digest=taken.digest).first()
    if known is not None:
        return FolderFacts(known.metadata, known.default_config)
    config = _read_config(taken.config)
    snapshot_show_config(plugin_id, taken.digest, _all_masked(config))  # until it is known what is secret
    metadata = _checked(_metadata(folder, snapshot_path(plugin_id, taken.digest), config), plugin_id, folder)
    schema = metadata.get("config_schema") or {}
    metadata["config_env"] = sorted(name for name in authors_variables(schema, config) if not studio_owns(name))
    sealed = secrets.seal(config, schema)
    return FolderFacts(_without_secrets(metadata, sealed), sealed)


def _without_secrets(metadata: dict[str, Any], sealed: dict[str, Any]) -> dict[str, Any]:
    """Everybody may see metadata, and a plugin may write its configuration into it."""
    scrubber = Scrubber(texts_of(sealed))
    words = ("name", "author", "description", "tags", "homepage", "repository", "license")
    return metadata | {key: scrubber.value(metadata[key]) for key in words if key in metadata} if scrubber else metadata


def _all_masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _all_masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_all_masked(item) for item in value]
    return MASK if isinstance(value, str) else value


def _metadata(folder: str, snapshot: Path, config: dict[str, Any]) -> dict[str, Any]:
    name = folder.replace("_", "-")
    if not PLUGIN_ID.fullmatch(name) or len(name) > 64:
        detail = f"{folder} is not a plugin's name."
        raise StudioError("id_invalid", detail, hint="Use lower-case words joined by - or _, at most 64 characters.")
    manifest = snapshot / MANIFEST_NAME
    if manifest.is_file():
        try:
            metadata = read_manifest(manifest)
        except ManifestError as error:
            raise StudioError("manifest_invalid", f"{MANIFEST_NAME}: {error}.", hint="Correct the manifest.") from error
        _check_syntax(snapshot, metadata)
        return metadata.to_dict()
    if not (snapshot / "plugin.py").is_file():
        detail = f"{folder} has neither plugin.py nor {MANIFEST_NAME}."
        raise StudioError("no_plugin_file", detail, hint="Put the plugin's class into plugin.py.")
    _check_syntax(snapshot, None)
    return _inspected(snapshot, folder, config)


def _check_syntax(snapshot: Path, metadata: PluginMetadata | None) -> None:
    """A file that does not compile is told from the start; whether it imports, only its own process can tell."""
    entry = (metadata.entry if metadata else None) or "plugin"
    path = snapshot / f"{entry.partition(':')[0].replace('.', '/')}.py"
    if not path.is_file():
        return
    try:
        compile(path.read_bytes(), path.name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = f" line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        words = error.msg if isinstance(error, SyntaxError) else str(error)
        detail = f"{path.name}{line}: {words}."
        raise StudioError("import_failed", detail, hint="Correct the file.") from error


def _inspected(snapshot: Path, folder: str, config: dict[str, Any]) -> dict[str, Any]:
    result = inspect_plugin(snapshot, folder, config=config)
    if result.metadata is not None:
        return result.metadata
    problem = result.problem or {"code": "metadata_failed", "detail": "The plugin did not say what it is."}
    raise StudioError(
        problem["code"], problem.get("detail", ""), hint=problem.get("hint", ""), traceback=problem.get("traceback")
    )


def _checked(data: dict[str, Any], plugin_id: str, folder: str) -> dict[str, Any]:
    """Whether the metadata can be used, wherever it came from."""
    try:
        problems = PluginMetadata.from_dict(data).problems() + dependency_problems(data)
    except (TypeError, ValueError) as error:
        problems = [str(error)]
    if problems:
        raise StudioError("metadata_invalid", f"{'; '.join(problems)}.", hint="Correct the plugin's metadata.")
    if data["id"] != plugin_id:
        detail = f"The folder {folder} holds a plugin that calls itself {data['id']}."
        raise StudioError("id_mismatch", detail, hint="Give both the same name.")
    _check_schema(data.get("config_schema") or {})
    return data


def _check_schema(schema: Any) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    hint = 'Write JSON Schema 2020-12, or one entry per field: {"timeout": {"type": "integer"}}.'
    if not isinstance(schema, dict):
        raise StudioError("schema_invalid", "config_schema is not an object.", hint=hint)
    if schema and not is_short_dialect(schema) and not {"$schema", "type", "properties", "$ref", "allOf"} & set(schema):
        raise StudioError("schema_invalid", "config_schema is in neither of the two dialects.", hint=hint)
    try:
        Draft202012Validator.check_schema(to_json_schema(schema))
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path)
        raise StudioError("schema_invalid", f"config_schema: {where}: {error.message}.", hint=hint) from error
    if problem := schema_problem(schema):
        raise StudioError("schema_invalid", f"config_schema: {problem}.", hint=hint)


def _read_config(content: bytes | None) -> dict[str, Any]:
    """What config.json says; nothing when there is none."""
    if content is None:
        return {}
    hint = "Write one JSON object."
    try:
        loaded = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise StudioError("config_file_invalid", f"config.json is not valid JSON: {error}.", hint=hint) from error
    if not isinstance(loaded, dict):
        raise StudioError("config_file_invalid", "config.json does not hold a JSON object.", hint=hint)
    return loaded
