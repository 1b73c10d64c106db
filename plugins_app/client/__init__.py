"""Calling a plugin process from web, Celery or the host. No Django here."""

from .affinity import Affinity
from .aio import AsyncClient, Stream
from .blocking import BlockingClient
from .common import CallResult, HostRequest
from .errors import STATUS_BY_CODE, CallError
from .inspection import InspectionResult, inspect_plugin

__all__ = [
    "STATUS_BY_CODE",
    "Affinity",
    "AsyncClient",
    "BlockingClient",
    "CallError",
    "CallResult",
    "HostRequest",
    "InspectionResult",
    "Stream",
    "inspect_plugin",
]
