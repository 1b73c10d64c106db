"""Forgetting a plugin: everything about it but its id and how many generations it has had."""

from __future__ import annotations

from plugins_app.models import Plugin, PluginVersion

from .packages import package_delete

__all__ = ["plugin_forget_rows"]


def plugin_forget_rows(plugin: Plugin) -> None:
    """Nothing that was stored for the plugin is left. Runs in a transaction; the row itself is the caller's to save."""
    plugin.version = plugin.desired = plugin.proven = plugin.waiting = None
    plugin.config, plugin.config_version, plugin.granted = {}, 1, []
    plugin.problem, plugin.fingerprint, plugin.trash = None, "", ""
    plugin.save()
    for version in PluginVersion.objects.filter(plugin=plugin, shared=True):
        package_delete(version)
    related = (plugin.executions, plugin.storage, plugin.releases, plugin.revisions, plugin.versions, plugin.instances)
    for rows in related:
        rows.all().delete()
