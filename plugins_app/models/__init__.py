"""The only source of truth: what is wanted (Plugin, PluginRelease) and what is seen (PluginInstance, NodeStatus)."""

from plugins_app.states import TRANSITIONS, PluginState

from .access import ApiKey
from .environment import PluginEnvironment
from .event import LifecycleEvent
from .execution import Execution
from .instance import NodeStatus, PluginInstance
from .plugin import Plugin, PluginRelease, PluginVersion
from .revision import ConfigRevision
from .storage import StorageItem
from .webhook import Webhook, WebhookDelivery

__all__ = [
    "TRANSITIONS",
    "ApiKey",
    "ConfigRevision",
    "Execution",
    "LifecycleEvent",
    "NodeStatus",
    "Plugin",
    "PluginEnvironment",
    "PluginInstance",
    "PluginRelease",
    "PluginState",
    "PluginVersion",
    "StorageItem",
    "Webhook",
    "WebhookDelivery",
]
