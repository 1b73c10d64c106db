"""The Django app of the plugin system."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["PluginsAppConfig"]


class PluginsAppConfig(AppConfig):
    """Nothing is loaded, imported from a plugin or connected to when the app is set up.

    Unless a receiver of a lifecycle signal is there already: then events are read from when the apps are ready.
    """

    name = "plugins_app"
    verbose_name = "Plugins"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have the signals start the reading of events when somebody wants them."""
        from .signals import SIGNALS, LifecycleSignal, plugin_event

        LifecycleSignal.listen = _listen
        if any(signal.has_listeners() for signal in (plugin_event, *SIGNALS.values())):
            _listen()


def _listen() -> None:
    from .services.hooks import hooks

    hooks().listen()
