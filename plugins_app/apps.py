"""The Django app of the plugin system."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["PluginsAppConfig"]


class PluginsAppConfig(AppConfig):
    """Nothing is loaded, imported from a plugin or connected to when the app is set up."""

    name = "plugins_app"
    verbose_name = "Plugins"
    default_auto_field = "django.db.models.BigAutoField"
