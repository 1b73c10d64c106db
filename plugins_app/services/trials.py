"""How long a new generation is on trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

__all__ = ["trial_seconds"]


def trial_seconds(metadata: Mapping[str, Any]) -> float:
    """What the plugin itself asks for (`[limits] soak_s`), or else what holds for all."""
    limit = (metadata.get("limits") or {}).get("soak_s")
    return float(settings.ENVIRONMENT.soak_seconds if limit is None else limit)
