"""Going back to what a plugin was before: an earlier version, an earlier release, or an earlier configuration."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from plugins_app.models import ConfigRevision, Plugin, PluginRelease, PluginVersion

from .changes import Result, User, find_plugin
from .errors import StudioError
from .packages import package_fetch
from .plugins import plugin_load
from .secrets import same
from .snapshots import snapshot_path

__all__ = ["plugin_rollback", "releases_served", "stored_config_of"]

_SHORTEST_DIGEST = 8


def plugin_rollback(
    *,
    plugin_id: str,
    digest: str | None = None,
    generation: int | None = None,
    user: User = None,
    wait: bool = True,
) -> Result:
    """Swap to an earlier version, as a new generation. Without a target: to the last release that served.

    By digest the stored configuration stays; by generation the one of that release comes back as well. The next
    reload takes the folder again.

    Raises:
        StudioError: `version_not_found`, `nothing_to_roll_back`, or why the load failed; nothing has changed then.
    """
    plugin = find_plugin(plugin_id)
    version, release = _target(plugin, digest, generation)
    if not snapshot_path(plugin_id, version.digest).is_dir():
        package_fetch(plugin_id=plugin_id, digest=version.digest)
    return plugin_load(
        plugin_id=plugin_id,
        digest=version.digest,
        stored=stored_config_of(release) if release else None,
        cause="rollback",
        user=user,
        wait=wait,
    )


def _target(plugin: Plugin, digest: str | None, generation: int | None) -> tuple[PluginVersion, PluginRelease | None]:
    """The version to go back to, and the release whose configuration comes back with it."""
    if digest is not None and generation is not None:
        errors = [{"pointer": "/generation", "message": "cannot be given together with digest"}]
        raise StudioError("invalid", "Give a digest or a generation, not both.", errors=errors)
    if digest is not None:
        return _version(plugin, digest), None
    release = _release(plugin, generation) if generation is not None else _last_that_served(plugin)
    current = plugin.desired
    is_same_version = current is not None and current.version_id == release.version_id
    return release.version, release if generation is not None or is_same_version else None


def _version(plugin: Plugin, digest: str) -> PluginVersion:
    found = list(plugin.versions.filter(digest__startswith=digest)[:2]) if len(digest) >= _SHORTEST_DIGEST else []
    if len(found) != 1:
        problem = "several versions" if found else "no version"
        raise StudioError(
            "version_not_found",
            f"{plugin.id} has {problem} {digest}.",
            hint=f"GET /api/plugins/{plugin.id}/versions lists them; give at least {_SHORTEST_DIGEST} characters.",
        )
    return found[0]


def _release(plugin: Plugin, generation: int) -> PluginRelease:
    release = plugin.releases.select_related("version").filter(generation=generation).first()
    if release is None:
        hint = f"GET /api/plugins/{plugin.id}/versions lists them."
        raise StudioError("version_not_found", f"{plugin.id} has had no generation {generation}.", hint=hint)
    return release


def releases_served(plugin: Plugin) -> QuerySet[PluginRelease]:
    """The releases that have served for a while and were not taken back, newest first."""
    served = Q(committed_at__isnull=False) | Q(id=plugin.proven_id)
    return plugin.releases.filter(served, failure__isnull=True).select_related("version").order_by("-generation")


def _last_that_served(plugin: Plugin) -> PluginRelease:
    current = plugin.waiting or plugin.desired
    if current is None:
        hint = "Load it, or name the version to load."
        raise StudioError("not_loaded", f"{plugin.id} is not loaded.", hint=hint)
    for release in releases_served(plugin).filter(generation__lt=current.generation):
        if release.version_id != current.version_id or not same(release.config, current.config):
            return release
    detail = f"No earlier release of {plugin.id} has served with other files or another configuration."
    hint = f"GET /api/plugins/{plugin.id}/versions lists what there is."
    raise StudioError("nothing_to_roll_back", detail, hint=hint)


def stored_config_of(release: PluginRelease) -> tuple[dict[str, Any], int]:
    """What was stored when the release was made, and the `config.version` it was written for.

    That is the revision that was made with it, or else the last one before it. Where there is none, nothing was stored.
    """
    revisions = ConfigRevision.objects.filter(plugin_id=release.plugin_id, undone=False)
    own = revisions.filter(generation=release.generation)
    before = revisions.filter(created_at__lte=release.created_at)
    found = own.order_by("-number").first() or before.order_by("-number").first()
    return (dict(found.config), found.config_version) if found else ({}, 1)
