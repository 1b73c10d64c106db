"""Every stored configuration is kept, with who and when: to be looked at, compared and brought back.

A revision is written in the transaction of the change it belongs to. When the release made for it fails, it is marked
undone, and the one before it is what is stored again.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Max

from plugins_app.models import ConfigRevision, Plugin, PluginRelease

from . import secrets

__all__ = ["revision_current", "revision_record", "revision_undo"]


def revision_current(plugin: Plugin) -> ConfigRevision | None:
    """The revision that is stored now."""
    return ConfigRevision.objects.filter(plugin=plugin, undone=False).order_by("-number").first()


def revision_record(
    *, plugin: Plugin, cause: str, user: Any = None, generation: int | None = None
) -> ConfigRevision | None:
    """Keep what the plugin's row is about to say, unless that was kept last. The row itself is not saved yet."""
    last = revision_current(plugin) or _from_before(plugin)
    if last is None and not plugin.config:
        return None
    if last is not None and _is_stored(last, plugin):
        return None
    return _add(plugin, plugin.config, plugin.config_version, cause, user, generation)


def _from_before(plugin: Plugin) -> ConfigRevision | None:
    """What was stored before anything was kept, so that it can be brought back as well."""
    row = Plugin.objects.filter(id=plugin.id).values("config", "config_version").first()
    if row is None or not row["config"] or secrets.same(row["config"], plugin.config):
        return None
    return _add(plugin, row["config"], row["config_version"], "before", None, None)


def _add(
    plugin: Plugin, config: dict[str, Any], config_version: int, cause: str, user: Any, generation: int | None
) -> ConfigRevision:
    highest = ConfigRevision.objects.filter(plugin=plugin).aggregate(highest=Max("number"))["highest"] or 0
    return ConfigRevision.objects.create(
        plugin=plugin,
        number=highest + 1,
        config=config,
        config_version=config_version,
        cause=cause,
        created_by=user,
        generation=generation,
    )


def _is_stored(revision: ConfigRevision, plugin: Plugin) -> bool:
    return revision.config_version == plugin.config_version and secrets.same(revision.config, plugin.config)


def revision_undo(plugin: Plugin) -> None:
    """Mark what came after the configuration that the plugin's row has got back."""
    newest_first = ConfigRevision.objects.filter(plugin=plugin, undone=False).order_by("-number")
    undone: list[int] = []
    for revision in newest_first:
        if _is_stored(revision, plugin) or _has_served(revision):
            break
        undone.append(revision.id)
    ConfigRevision.objects.filter(id__in=undone).update(undone=True)


def _has_served(revision: ConfigRevision) -> bool:
    """Whether it was stored without a release, or its release was good: no later failure undoes that."""
    if revision.generation is None:
        return True
    releases = PluginRelease.objects.filter(plugin_id=revision.plugin_id, generation=revision.generation)
    return releases.filter(committed_at__isnull=False).exists()
