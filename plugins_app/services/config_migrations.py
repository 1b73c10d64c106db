"""Carrying a stored configuration to another version of its plugin, by the plugin's own functions.

`up_2(config)` makes it one for `[config] version = 2`, `down_2(config)` one for version 1 again. They run in a
sandboxed process that lives only for that. The code is always that of the higher version: it knows both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from plugins_app.client.inspection import MigrationError, migrate_config
from plugins_app.models import Plugin, PluginVersion
from plugins_app.sdk.references import names_in

from . import secrets
from .configs import effective, require_valid
from .environments import environment_key
from .errors import StudioError
from .resolving import texts_of
from .revisions import revision_record
from .snapshots import snapshot_path

__all__ = ["config_carry", "config_for_version", "config_prepare"]

_HINT = "Correct [config] migrations, or store a whole new configuration (PUT)."


def config_for_version(plugin: Plugin, version: PluginVersion) -> tuple[dict[str, Any], int]:
    """What is stored, as this version of the plugin wants it, and the `config.version` it then has.

    Raises:
        StudioError: `config_migration_failed`, or `permission_required` when a migration brings in a variable.
    """
    wanted = _config_version(version)
    if wanted == plugin.config_version or not plugin.config:
        return plugin.config, wanted
    higher = version if wanted > plugin.config_version else _of_config_version(plugin)
    try:
        config, missing = _carried(plugin, version, higher, _steps(plugin.config_version, wanted))
    except (MigrationError, ValueError) as error:
        raise _failed(plugin, wanted, str(error), traceback=getattr(error, "traceback", "")) from error
    _check_variables(plugin, config)
    if missing:
        _check_without(plugin, version, config, missing)
    return config, wanted


def config_carry(plugin: Plugin, version: PluginVersion, user: Any = None) -> None:
    """Make what is stored fit this version, and keep that as a revision. Runs in the transaction of the change."""
    config, number = config_for_version(plugin, version)
    if number != plugin.config_version:
        before = plugin.config
        plugin.config, plugin.config_version = config, number
        if before:
            revision_record(plugin=plugin, cause="migration", user=user, generation=plugin.generation + 1)


def config_prepare(plugin: Plugin) -> None:
    """Do what `config_for_version` is about to do, before anything is locked: the plugin's code may take its time."""
    _run.cache_clear()
    if plugin.version is not None and plugin.config and _config_version(plugin.version) != plugin.config_version:
        try:
            config_for_version(plugin, plugin.version)
        except StudioError:
            return  # the change itself says so


def _config_version(version: PluginVersion) -> int:
    return int(version.metadata.get("config_version") or 1)


def _of_config_version(plugin: Plugin) -> PluginVersion | None:
    """The newest version of the plugin that what is stored was written for."""
    versions = PluginVersion.objects.filter(plugin=plugin).order_by("-created_at", "-id")
    return next((each for each in versions if _config_version(each) == plugin.config_version), None)


def _steps(have: int, wanted: int) -> list[str]:
    up = [f"up_{number}" for number in range(have + 1, wanted + 1)]
    return up or [f"down_{number}" for number in range(have, wanted, -1)]


def _carried(
    plugin: Plugin, version: PluginVersion, code: PluginVersion | None, steps: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """What is stored after these steps, secrets encrypted, and the steps that nobody has written."""
    if code is None or not code.metadata.get("config_migrations"):
        return plugin.config, steps
    snapshot = snapshot_path(plugin.id, code.digest)
    if not snapshot.is_dir():
        raise MigrationError(f"the files of version {code.metadata.get('version')} are not in this node's store")
    module = str(code.metadata["config_migrations"]).removesuffix(".py").replace("/", ".")
    folder, stored = Path(plugin.folder).name or plugin.id, json.dumps(plugin.config, sort_keys=True)
    outcome = _run(str(snapshot), folder, module, tuple(steps), stored, _env_dir(code))
    if isinstance(outcome, MigrationError):
        raise outcome
    plain, missing = outcome
    hidden = tuple(texts_of(plugin.config))
    schema = version.metadata.get("config_schema") or {}
    return secrets.seal(_still_secret(plain, hidden), schema), missing


def _env_dir(version: PluginVersion) -> Path | None:
    """The version's own packages, if they are installed already."""
    key = environment_key(version.metadata)
    path = Path(settings.STUDIO_ENVS, key) if key else None
    return path if path is not None and path.is_dir() else None


@lru_cache(maxsize=8)
def _run(
    snapshot: str, folder: str, module: str, steps: tuple[str, ...], stored: str, env_dir: Path | None
) -> tuple[dict[str, Any], list[str]] | MigrationError:
    """Remembered for the moment between `config_prepare` and the change."""
    config = json.loads(stored)
    try:
        return migrate_config(
            Path(snapshot),
            folder,
            module,
            steps,
            secrets.reveal(config),
            env_dir=env_dir,
            secrets=tuple(texts_of(config)),
        )
    except MigrationError as error:
        return error


def _still_secret(value: Any, hidden: tuple[str, ...]) -> Any:
    """What was secret stays secret, wherever a migration has put it, and whatever it has written around it."""
    if isinstance(value, Mapping):
        return {key: _still_secret(item, hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [_still_secret(item, hidden) for item in value]
    is_secret = isinstance(value, str) and any(text == value or (len(text) >= 4 and text in value) for text in hidden)
    return secrets.encrypt(value) if is_secret else value


def _check_variables(plugin: Plugin, config: Mapping[str, Any]) -> None:
    """A variable that only the migration brings in is the author's wish: it needs the permission."""
    new = names_in(secrets.reveal(config)) - names_in(secrets.reveal(plugin.config))
    missing = sorted(f"env:{name}" for name in new if f"env:{name}" not in plugin.granted)
    if missing:
        detail = f"The configuration migration of {plugin.id} refers to {', '.join(missing)}, which nobody has granted."
        raise StudioError("permission_required", detail, hint="Ask for it under [permissions], and grant it.")


def _check_without(plugin: Plugin, version: PluginVersion, config: Mapping[str, Any], missing: list[str]) -> None:
    """Without a function for a step the configuration is kept as it is, as long as it fits."""
    try:
        require_valid(plugin.id, version, effective(version, config))
    except StudioError as error:
        words = f"there is no {', '.join(missing)}, and as it is it does not fit: {error.detail}"
        raise _failed(plugin, _config_version(version), words, errors=error.errors) from error


def _failed(plugin: Plugin, wanted: int, reason: str, **more: Any) -> StudioError:
    way = f"from version {plugin.config_version} to {wanted}"
    detail = f"The configuration of {plugin.id} cannot be carried {way}: {reason.rstrip('.')}."
    return StudioError("config_migration_failed", detail, hint=_HINT, **more)
