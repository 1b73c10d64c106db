"""Plugins as everybody outside sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, QuerySet

from plugins_app.models import Plugin, PluginInstance, PluginRelease, PluginState
from plugins_app.sdk.config import to_json_schema
from plugins_app.services import secrets
from plugins_app.services.configs import effective
from plugins_app.services.dependencies import check_compat
from plugins_app.services.errors import CODES, StudioError
from plugins_app.services.nodes import nodes_away
from plugins_app.services.permissions import permissions_asked, permissions_missing, permissions_optional

from .needs import Needs
from .progress import change_under_way, environment_of, failed_packages, trial_of

__all__ = ["Catalogue", "plugin_release", "plugin_rows"]

S = PluginState


def plugin_rows() -> QuerySet[Plugin]:
    """Plugins with everything a card needs, in two queries."""
    instances = PluginInstance.objects.order_by("node")
    return Plugin.objects.select_related(
        "version", "desired__version", "waiting__version", "desired__created_by", "waiting__created_by"
    ).prefetch_related(Prefetch("instances", queryset=instances, to_attr="seen"))


def plugin_release(plugin: Plugin) -> PluginRelease | None:
    """The release that is wanted or on its way."""
    return plugin.desired or plugin.waiting


class Catalogue:
    """All plugins at one moment: each card shows what depends on what."""

    def __init__(self, rows: Iterable[Plugin] | None = None) -> None:
        self.plugins = {plugin.id: plugin for plugin in (plugin_rows() if rows is None else rows)}
        self._away = nodes_away()
        self._needs = Needs(self.plugins)

    @property
    def found(self) -> list[Plugin]:
        """The plugins that are there or still loaded; a folder that is gone leaves only its configuration behind."""
        return [plugin for plugin in self.plugins.values() if not plugin.missing or plugin_release(plugin)]

    def card(self, plugin: Plugin, *, operator: bool) -> dict[str, Any]:
        """The plugin object of the API."""
        metadata = _metadata(plugin)
        release = plugin_release(plugin)
        problem = self._problem(plugin)
        here = _here(plugin)
        seen = _seen(plugin)
        card = {
            "id": plugin.id,
            **{key: metadata.get(key) or "" for key in ("name", "version", "author", "description", "license")},
            "type": metadata.get("plugin_type"),
            "tags": metadata.get("tags") or [],
            **{key: metadata.get(key) for key in ("homepage", "repository")},
            "state": str(self.state(plugin)),
            "nodes": [_node(row, operator, row.node in self._away) for row in seen],
            "digest": (release.version.digest if release else None) or (plugin.version and plugin.version.digest),
            "generation": here.generation if here and here.generation else (release.generation if release else None),
            "dependencies": self._needs.dependencies(plugin),
            "dependents": self._needs.dependents(plugin.id),
            "required_by": self._needs.required_by(plugin.id),
            "permissions": {
                "asked": permissions_asked(metadata),
                "granted": plugin.granted,
                "optional": permissions_optional(metadata),
            },
            "last_error": _error(problem, operator),
            "usage": {
                "calls": sum(row.calls for row in seen),
                "errors": sum(row.errors for row in seen),
                "rss_bytes": sum(row.rss_bytes or 0 for row in seen),
            },
            "config_version": plugin.config_version,
            "ui": _ui(plugin, metadata),
            "environment": environment_of(plugin),
            "change": change_under_way(plugin, here),
            "soak": trial_of(plugin, here),
            "message": here.message if here else "",
            "links": {"self": f"/api/plugins/{plugin.id}"},
        }
        return card | (_config(plugin) if operator else {})

    def state(self, plugin: Plugin) -> PluginState:
        """Where the plugin stands on this node."""
        here = _here(plugin)
        if plugin.waiting is not None:
            return S.INSTALLING if plugin.desired is None else S.LOADING
        if plugin.desired is not None:
            return _loaded_state(plugin.desired, here)
        if here is not None and here.generation is not None:
            return S.DRAINING
        if here is not None and here.state == S.DRAINING:
            return S.DRAINING
        if plugin.problem is not None or plugin.missing or plugin.version is None:
            return S.ERROR
        if (here is not None and here.state == S.ERROR) or failed_packages(plugin) is not None:
            return S.ERROR
        if self._blocked(plugin) is not None:
            return S.BLOCKED
        return S.INACTIVE if here is not None else S.AVAILABLE

    def _problem(self, plugin: Plugin) -> Mapping[str, Any] | None:
        """The most telling thing that is wrong now."""
        here = _here(plugin)
        if plugin.problem is not None:
            return {"recoverable": True, "at": plugin.updated_at, **plugin.problem}
        if plugin.desired is None and plugin.missing:
            return {"code": "folder_missing", "detail": f"The folder of {plugin.id} is gone.", "at": plugin.updated_at}
        if plugin.waiting is None and here is not None and here.error:
            return {"at": here.updated_at, **here.error}
        failed = failed_packages(plugin)
        if failed is not None:
            return failed
        return self._blocked(plugin) if plugin_release(plugin) is None else None

    def _blocked(self, plugin: Plugin) -> Mapping[str, Any] | None:
        """What stands in the way of loading it, as far as that can be told without trying."""
        metadata = _metadata(plugin)
        obstacle = self._needs.obstacle(plugin)
        if obstacle is not None:
            return _facts(obstacle, plugin)
        missing = permissions_missing(metadata, plugin.granted)
        if missing:
            detail = f"{plugin.id} asks for {', '.join(missing)}, which nobody has granted."
            return _facts(StudioError("permission_required", detail, hint="Grant it, then load it."), plugin)
        try:
            check_compat(plugin.id, metadata)
        except StudioError as error:
            return _facts(error, plugin)
        return None


def _metadata(plugin: Plugin) -> dict[str, Any]:
    """What runs, for a loaded plugin; what would, for another one."""
    release = plugin_release(plugin)
    return release.version.metadata if release else plugin.metadata


def _seen(plugin: Plugin) -> list[PluginInstance]:
    """The instances, as `plugin_rows` fetched them."""
    return getattr(plugin, "seen", None) or list(plugin.instances.all())


def _here(plugin: Plugin) -> PluginInstance | None:
    return next((row for row in _seen(plugin) if row.node == settings.STUDIO_NODE), None)


def _loaded_state(desired: PluginRelease, here: PluginInstance | None) -> PluginState:
    if here is None or (here.attempted < desired.generation and here.generation is None):
        return S.LOADING
    if here.generation is not None:
        return S.ACTIVE
    return S.ERROR if here.state == S.ERROR else S.LOADING


def _facts(error: StudioError, plugin: Plugin) -> dict[str, Any]:
    return {**error.to_dict(), "recoverable": True, "at": plugin.updated_at}


def _error(problem: Mapping[str, Any] | None, operator: bool) -> dict[str, Any] | None:
    if problem is None:
        return None
    code = str(problem.get("code") or "load_failed")
    error = {
        "code": code,
        "title": problem.get("title") or CODES.get(code, (0, "The plugin failed"))[1],
        "detail": problem.get("detail") or "",
        "recoverable": bool(problem.get("recoverable", True)),
        "hint": problem.get("hint") or "",
        "at": problem.get("at"),
    }
    traceback = problem.get("traceback")
    return error | ({"traceback": traceback} if operator and traceback else {})


_NODE_FIELDS = [
    "node",
    "state",
    "generation",
    "digest",
    "committed",
    "message",
    "pid",
    "started_at",
    "restarts",
    "rss_bytes",
    "calls",
    "errors",
]


def _node(row: PluginInstance, operator: bool, is_away: bool) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in _NODE_FIELDS}
    return facts | {"away": is_away, "error": _error(row.error, operator)}


def _ui(plugin: Plugin, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    ui, release = metadata.get("ui") or {}, plugin_release(plugin)
    if not ui.get("entry"):
        return None
    digest = release.version.digest if release else (plugin.version.digest if plugin.version else "")
    return {
        "entry": f"/plugin-assets/{plugin.id}/{digest}/{ui['entry']}",
        "mounts": ui.get("mounts") or [],
        "isolation": ui.get("isolation") or "iframe",
        "config": secrets.without(_effective(plugin)),  # it runs in everybody's browser
    }


def _config(plugin: Plugin) -> dict[str, Any]:
    """The effective configuration, masked, and its schema."""
    schema = to_json_schema(_metadata(plugin).get("config_schema") or {})
    return {"config": secrets.mask(_effective(plugin)), "config_schema": schema}


def _effective(plugin: Plugin) -> dict[str, Any]:
    """What it runs with, or would."""
    release = plugin_release(plugin)
    if release is not None:
        return release.config
    return effective(plugin.version, plugin.config) if plugin.version else {}
