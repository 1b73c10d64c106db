"""What the plugin answers when a moment, a zone or a length of time cannot be understood."""

from __future__ import annotations

from plugins_app.sdk import PluginError

__all__ = ["DateTimeError"]


class DateTimeError(PluginError):
    """The question cannot be answered; the message says why, and what would be understood."""

    code = "date_time_invalid"
