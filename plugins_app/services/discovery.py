"""Finding plugins: each folder becomes a row, a broken one a row with its problem. No plugin code runs here.

Where several machines share a database, each looks at its own folders. A plugin belongs to the node that found it
first: what lies in other nodes' folders of the same name counts only when that node is away or has lost the folder,
or when somebody asks for it there.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from plugins_app.client.inspection import inspect_plugin
from plugins_app.models import Plugin, PluginVersion
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
from .events import event_record
from .folders import fingerprint, walk
from .forgetting import plugin_forget_rows
from .nodes import nodes_here
from .permissions import BUNDLED, permissions_asked
from .resolving import texts_of
from .snapshots import Snapshot, snapshot_path, snapshot_show_config, snapshot_take

__all__ = [
    "DiscoveryReport",
    "FolderRead",
    "folder_of",
    "folder_read",
    "folder_store",
    "folders_locked",
    "plugin_refresh",
    "plugins_discover",
]


_SEEN_FIELDS = ["removed_at", "version", "granted", "folder", "fingerprint", "node", "problem", "missing", "updated_at"]


@dataclass(slots=True)
class DiscoveryReport:
    """What a look at the plugins folder brought."""

    found: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One folder as it looks now."""

    plugin_id: str
    folder: Path
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Look:
    """Who looks, and how. `claimed` are the plugins whose folders here count, whosever they were; None is all."""

    force: bool = False
    claimed: frozenset[str] | None = frozenset()
    here: frozenset[str] = frozenset()

    def claims(self, row: Plugin) -> bool:
        return self.claimed is None or (row.id in self.claimed and not row.is_removed)

    def is_ours(self, row: Plugin) -> bool:
        """Whether this node's folder is the one that counts."""
        if row.node in ("", settings.STUDIO_NODE) or self.claims(row):
            return True
        # Who is not heard of itself cannot tell: all may be starting at once.
        is_away = settings.STUDIO_NODE in self.here and row.node not in self.here
        return (row.missing or is_away) and not row.is_removed


def plugins_discover(*, force: bool = False) -> DiscoveryReport:
    """Bring the rows in line with the plugins folder. Folders that did not change cost one `lstat` per file.

    With `force` broken folders are looked at again even when nothing in them changed, and the folders of this node
    count from now on where several nodes have the same plugin.
    """
    return _discover(force, None if force else frozenset())


def plugin_refresh(*, plugin_id: str, force: bool = False) -> Plugin | None:
    """The plugin as its folder is now, or None when there is none of that id.

    With `force` this node's folder counts from now on. Without a folder here the newest known version stays.
    """
    _discover(force, frozenset({plugin_id}) if force else frozenset())
    return Plugin.objects.select_related("version", "desired__version").filter(id=plugin_id).first()


def _discover(force: bool, claimed: frozenset[str] | None) -> DiscoveryReport:
    report, look = DiscoveryReport(), _Look(force, claimed, frozenset(nodes_here()))
    seen = list(_scan())
    if _out_of_date(seen, look):
        with folders_locked():
            _reconcile(seen, look, report)
    report.found = [one.plugin_id for one in seen]
    report.broken = list(Plugin.objects.filter(problem__isnull=False).values_list("id", flat=True))
    report.missing = list(Plugin.objects.filter(missing=True, version__isnull=False).values_list("id", flat=True))
    return report


def _scan() -> Iterator[_Seen]:
    """The folders, one per plugin id: the one already known wins over another of the same name."""
    root = Path(settings.STUDIO_PLUGINS)
    by_id: dict[str, Path] = {}
    known = {Path(path).name for path in Plugin.objects.values_list("folder", flat=True)}
    for entry in sorted(os.scandir(root), key=lambda e: (e.name not in known, e.name)) if root.is_dir() else ():
        if entry.is_dir() and not entry.name.startswith((".", "_")):
            by_id.setdefault(_id_of(entry.name), Path(entry.path))
    for plugin_id, folder in sorted(by_id.items()):
        yield _Seen(plugin_id, folder, fingerprint(folder))


def _id_of(name: str) -> str:
    """The id that a folder's name says; a name that cannot be one still gets a row to be listed under."""
    plain = name.replace("_", "-")
    if PLUGIN_ID.fullmatch(plain) and len(plain) <= 64:
        return plain
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:64] or "unnamed"


def folder_of(plugin_id: str) -> Path | None:
    """Where this plugin lies on this node, if it does."""
    return next((one.folder for one in _scan() if one.plugin_id == plugin_id), None)


def _out_of_date(seen: list[_Seen], look: _Look) -> bool:
    columns = ("id", "fingerprint", "folder", "missing", "problem", "node", "removed_at")
    rows = {row.id: row for row in Plugin.objects.only(*columns)}
    here = {one.plugin_id for one in seen}
    gone = any(row.id not in here and _is_lost(row) for row in rows.values())
    return gone or any(_is_stale(rows.get(one.plugin_id), one, look) for one in seen)


def _is_lost(row: Plugin) -> bool:
    """Whether a plugin without a folder here is missing: only its own node can tell."""
    return not row.missing and row.node in ("", settings.STUDIO_NODE)


def _is_stale(row: Plugin | None, one: _Seen, look: _Look) -> bool:
    if row is None:
        return True
    if not look.is_ours(row):
        return False
    if row.is_removed and row.fingerprint and row.fingerprint == one.fingerprint:
        return False  # it is on its way to the trash
    if row.missing or row.node != settings.STUDIO_NODE:
        return True
    if row.fingerprint != one.fingerprint or row.folder != str(one.folder):
        return True
    return look.force and row.problem is not None


@contextmanager
def folders_locked() -> Iterator[None]:
    """Processes that notice the same change do the work once: the second one finds it done."""
    settings.STUDIO_RUN.mkdir(parents=True, exist_ok=True)
    with open(settings.STUDIO_RUN / "discovery.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _reconcile(seen: list[_Seen], look: _Look, report: DiscoveryReport) -> None:
    rows = {row.id: row for row in Plugin.objects.all()}
    for one in seen:
        if _is_stale(rows.get(one.plugin_id), one, look):
            _take_in(one, look)
            report.changed.append(one.plugin_id)
    here = {one.plugin_id for one in seen}
    lost = [row.id for row in rows.values() if row.id not in here and _is_lost(row)]
    ours = Plugin.objects.filter(id__in=lost, node__in=("", settings.STUDIO_NODE))
    ours.update(missing=True, fingerprint="")


def _take_in(one: _Seen, look: _Look) -> None:
    """Read one changed folder; whatever is wrong with it stays with its row."""
    digest, facts, problem = None, None, None
    try:
        digest, facts = _read(one)
    except StudioError as error:
        problem = error.to_dict()
    _store(one, look, digest, facts, problem)


def _read(one: _Seen) -> tuple[str, _Facts]:
    snapshot = snapshot_take(plugin_id=one.plugin_id, folder=one.folder)
    facts = _facts(one, snapshot)
    snapshot_show_config(one.plugin_id, snapshot.digest, secrets.mask(facts.default_config))
    return snapshot.digest, facts


@dataclass(frozen=True, slots=True)
class _Facts:
    metadata: dict[str, Any]
    default_config: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FolderRead:
    """A folder that was found to be good, and is in the store."""

    seen: _Seen
    digest: str
    facts: _Facts


def folder_read(folder: Path) -> FolderRead:
    """Check a folder wherever it lies as a look at the plugins folder does; nothing is written but the store.

    Raises:
        StudioError: why it cannot be used.
    """
    seen = _Seen(_id_of(folder.name), folder, fingerprint(folder))
    return FolderRead(seen, *_read(seen))


def folder_store(read: FolderRead, *, folder: Path, source: str) -> Plugin:
    """The plugin, with a folder that has been read and lies in `folder` now. In a transaction, with folders locked."""
    one = replace(read.seen, folder=folder)
    _store(one, _Look(claimed=None), read.digest, read.facts, None, source)
    return Plugin.objects.select_related("version").get(id=one.plugin_id)


def _facts(one: _Seen, taken: Snapshot) -> _Facts:
    """The metadata and default configuration of a snapshot; remembered by digest."""
    known = PluginVersion.objects.filter(plugin_id=one.plugin_id, digest=taken.digest).first()
    if known is not None:
        return _Facts(known.metadata, known.default_config)
    config = _read_config(taken.config)
    snapshot_show_config(one.plugin_id, taken.digest, _all_masked(config))  # until it is known what is secret
    metadata = _checked(_metadata(one, snapshot_path(one.plugin_id, taken.digest), config), one)
    schema = metadata.get("config_schema") or {}
    metadata["config_env"] = sorted(name for name in authors_variables(schema, config) if not studio_owns(name))
    sealed = secrets.seal(config, schema)
    return _Facts(_without_secrets(metadata, sealed), sealed)


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


def _metadata(one: _Seen, snapshot: Path, config: dict[str, Any]) -> dict[str, Any]:
    name = one.folder.name.replace("_", "-")
    if not PLUGIN_ID.fullmatch(name) or len(name) > 64:
        detail = f"{one.folder.name} is not a plugin's name."
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
        detail = f"{one.folder.name} has neither plugin.py nor {MANIFEST_NAME}."
        raise StudioError("no_plugin_file", detail, hint="Put the plugin's class into plugin.py.")
    _check_syntax(snapshot, None)
    return _inspected(snapshot, one.folder.name, config)


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


def _checked(data: dict[str, Any], one: _Seen) -> dict[str, Any]:
    """Whether the metadata can be used, wherever it came from."""
    try:
        problems = PluginMetadata.from_dict(data).problems() + dependency_problems(data)
    except (TypeError, ValueError) as error:
        problems = [str(error)]
    if problems:
        raise StudioError("metadata_invalid", f"{'; '.join(problems)}.", hint="Correct the plugin's metadata.")
    if data["id"] != one.plugin_id:
        detail = f"The folder {one.folder.name} holds a plugin that calls itself {data['id']}."
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


@transaction.atomic
def _store(
    one: _Seen,
    look: _Look,
    digest: str | None,
    facts: _Facts | None,
    problem: dict[str, Any] | None,
    source: str = "folder",
) -> None:
    plugin, created = Plugin.objects.select_for_update().get_or_create(
        id=one.plugin_id, defaults={"node": settings.STUDIO_NODE}
    )
    if not look.is_ours(plugin):
        return  # another node has just found it too, and was first
    if plugin.is_removed:
        plugin_forget_rows(plugin)  # what lies there now is another plugin of the same name
        created = True
    if digest and facts:
        plugin.version = _version(plugin, digest, facts, source)
        if plugin.id in BUNDLED:
            plugin.granted = sorted({*plugin.granted, *permissions_asked(facts.metadata)})
    plugin.folder, plugin.fingerprint, plugin.node = str(one.folder), one.fingerprint, settings.STUDIO_NODE
    plugin.problem, plugin.missing, plugin.removed_at = problem, False, None
    plugin.save(update_fields=_SEEN_FIELDS)
    if created:
        event_record(event="plugin_discovered", plugin_id=plugin.id, data={"digest": digest, "problem": problem})


def _version(plugin: Plugin, digest: str, facts: _Facts, source: str) -> PluginVersion:
    size = sum(entry.status.st_size for entry in walk(snapshot_path(plugin.id, digest)))
    told = {"metadata": facts.metadata, "default_config": facts.default_config, "source": source, "size_bytes": size}
    return PluginVersion.objects.get_or_create(plugin=plugin, digest=digest, defaults=told)[0]
