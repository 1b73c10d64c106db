"""The admin's face: it shows what the selectors read, and every change goes through a service."""

from .access import ApiKeyAdmin
from .plugins import PluginAdmin
from .records import (
    ExecutionAdmin,
    LifecycleEventAdmin,
    NodeStatusAdmin,
    PluginEnvironmentAdmin,
    PluginReleaseAdmin,
    PluginVersionAdmin,
)
from .webhooks import WebhookAdmin, WebhookDeliveryAdmin

__all__ = [
    "ApiKeyAdmin",
    "ExecutionAdmin",
    "LifecycleEventAdmin",
    "NodeStatusAdmin",
    "PluginAdmin",
    "PluginEnvironmentAdmin",
    "PluginReleaseAdmin",
    "PluginVersionAdmin",
    "WebhookAdmin",
    "WebhookDeliveryAdmin",
]
