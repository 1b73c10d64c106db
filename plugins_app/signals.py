"""Django's signals of the plugin system, sent in every process that has registered a hook."""

from __future__ import annotations

from django.dispatch import Signal

__all__ = ["plugin_event"]

#: sender: the event's name; plugin_id; data: what the event carries. `register_hook` starts the delivery.
plugin_event = Signal()
