"""The states of a plugin on a node, and the only transitions there are."""

from __future__ import annotations

from django.db.models import TextChoices

__all__ = ["TRANSITIONS", "PluginState"]


class PluginState(TextChoices):
    """Where a plugin stands on one node."""

    AVAILABLE = "available", "available"
    INSTALLING = "installing", "installing"
    LOADING = "loading", "loading"
    ACTIVE = "active", "active"
    DRAINING = "draining", "draining"
    INACTIVE = "inactive", "inactive"
    ERROR = "error", "error"
    BLOCKED = "blocked", "blocked"


_S = PluginState
TRANSITIONS: dict[PluginState, frozenset[PluginState]] = {
    _S.AVAILABLE: frozenset({_S.INSTALLING, _S.LOADING, _S.BLOCKED}),
    _S.INSTALLING: frozenset({_S.LOADING, _S.ERROR, _S.INACTIVE, _S.BLOCKED}),
    _S.LOADING: frozenset({_S.ACTIVE, _S.ERROR, _S.INACTIVE, _S.BLOCKED, _S.INSTALLING}),
    _S.ACTIVE: frozenset({_S.LOADING, _S.DRAINING, _S.ERROR, _S.INACTIVE}),
    _S.DRAINING: frozenset({_S.INACTIVE, _S.LOADING, _S.ERROR}),
    _S.INACTIVE: frozenset({_S.INSTALLING, _S.LOADING, _S.BLOCKED, _S.ERROR}),
    _S.ERROR: frozenset({_S.INSTALLING, _S.LOADING, _S.INACTIVE, _S.BLOCKED, _S.ACTIVE}),
    _S.BLOCKED: frozenset({_S.INSTALLING, _S.LOADING, _S.INACTIVE, _S.ERROR}),
}
