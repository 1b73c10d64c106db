"""The plugin SDK: the only thing a plugin imports.

The specification's `backend.plugins.base_plugin` is this same module.
"""

from __future__ import annotations

from .base import BasePlugin, ExportPlugin, MiddlewarePlugin, ProviderPlugin, ToolPlugin
from .context import Context, Storage
from .errors import (
    AuthFailed,
    Cancelled,
    ConfigError,
    DeadlineExceeded,
    NotReady,
    PermissionDenied,
    PluginError,
    Refused,
    UpstreamError,
)
from .metadata import Limits, PluginMetadata, PluginType
from .methods import method
from .retrying import retried, retried_stream
from .state import OldState

__all__ = [
    "AuthFailed",
    "BasePlugin",
    "Cancelled",
    "ConfigError",
    "Context",
    "DeadlineExceeded",
    "ExportPlugin",
    "Limits",
    "MiddlewarePlugin",
    "NotReady",
    "OldState",
    "PermissionDenied",
    "PluginError",
    "PluginMetadata",
    "PluginType",
    "ProviderPlugin",
    "Refused",
    "Storage",
    "ToolPlugin",
    "UpstreamError",
    "method",
    "retried",
    "retried_stream",
]
