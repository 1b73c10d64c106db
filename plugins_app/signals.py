"""Django's signals of the plugin system: one for each event, and `plugin_event` for all of them.

They are sent in every process in which somebody has connected a receiver, whichever process caused the event; in order,
once each, from the moment of the connection on. Receivers run one after another in a thread of their own:

    @receiver(plugin_loaded)
    def greet(sender, plugin_id, data, **kwargs): ...

`data` is what the event carries, with its `id`, `event`, `at` and `node`. The `sender` is the model `LifecycleEvent`;
`plugin_event`'s is the event's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.dispatch import Signal

__all__ = [
    "SIGNALS",
    "LifecycleSignal",
    "execution_finished",
    "execution_progress",
    "execution_started",
    "plugin_config_changed",
    "plugin_crashed",
    "plugin_discovered",
    "plugin_event",
    "plugin_failed",
    "plugin_installed",
    "plugin_loaded",
    "plugin_loading",
    "plugin_recovered",
    "plugin_reloaded",
    "plugin_unloaded",
]


class LifecycleSignal(Signal):
    """A signal whose receivers live in any process: connecting the first one starts the reading of events."""

    #: Starts it; set when the apps are ready. Whoever is connected before that is found then.
    listen: ClassVar[Callable[[], None] | None] = None

    def connect(self, *args: Any, **kwargs: Any) -> None:
        """As Django's, and have this process hear of events from now on."""
        super().connect(*args, **kwargs)
        if LifecycleSignal.listen is not None:
            LifecycleSignal.listen()


plugin_event = LifecycleSignal()

plugin_discovered = LifecycleSignal()
plugin_installed = LifecycleSignal()
plugin_loading = LifecycleSignal()
plugin_loaded = LifecycleSignal()
plugin_reloaded = LifecycleSignal()
plugin_unloaded = LifecycleSignal()
plugin_failed = LifecycleSignal()
plugin_config_changed = LifecycleSignal()
plugin_crashed = LifecycleSignal()
plugin_recovered = LifecycleSignal()
execution_started = LifecycleSignal()
execution_progress = LifecycleSignal()
execution_finished = LifecycleSignal()

#: By the event's name. A plugin's own events have `plugin_event` only.
SIGNALS: dict[str, LifecycleSignal] = {
    "plugin_discovered": plugin_discovered,
    "plugin_installed": plugin_installed,
    "plugin_loading": plugin_loading,
    "plugin_loaded": plugin_loaded,
    "plugin_reloaded": plugin_reloaded,
    "plugin_unloaded": plugin_unloaded,
    "plugin_failed": plugin_failed,
    "plugin_config_changed": plugin_config_changed,
    "plugin_crashed": plugin_crashed,
    "plugin_recovered": plugin_recovered,
    "execution_started": execution_started,
    "execution_progress": execution_progress,
    "execution_finished": execution_finished,
}
