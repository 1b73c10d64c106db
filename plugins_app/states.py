"""The states of a plugin on a node, and the only transitions there are. Pure: the host needs it without Django."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["MEANINGS", "STATE_CHOICES", "TRANSITIONS", "PluginState", "is_legal", "markdown"]


class PluginState(StrEnum):
    """Where a plugin stands on one node."""

    AVAILABLE = "available"
    INSTALLING = "installing"
    LOADING = "loading"
    ACTIVE = "active"
    DRAINING = "draining"
    INACTIVE = "inactive"
    ERROR = "error"
    BLOCKED = "blocked"


STATE_CHOICES = [(state.value, state.value) for state in PluginState]

_S = PluginState
MEANINGS: dict[PluginState, str] = {
    _S.AVAILABLE: "found, and never loaded on this node",
    _S.INSTALLING: "its files or Python packages are being brought to this node",
    _S.LOADING: "its process is starting, for the first time or again",
    _S.ACTIVE: "a process serves; during a swap, the old one until the new one is ready",
    _S.DRAINING: "it takes no new calls and finishes those it has",
    _S.INACTIVE: "unloaded",
    _S.ERROR: "it did not start, or crashed too often; `error` says why and what to do",
    _S.BLOCKED: "it waits for a plugin it depends on",
}
#: (from, to) -> what causes it. A host reports every state it passes through, in order, so a row shows no other steps.
TRANSITIONS: dict[tuple[PluginState, PluginState], str] = {
    (_S.AVAILABLE, _S.INSTALLING): "load; files or packages are missing on this node",
    (_S.AVAILABLE, _S.LOADING): "load",
    (_S.AVAILABLE, _S.BLOCKED): "load; a dependency does not serve yet",
    (_S.INSTALLING, _S.LOADING): "everything is there",
    (_S.INSTALLING, _S.ERROR): "files or packages cannot be had",
    (_S.INSTALLING, _S.INACTIVE): "unload",
    (_S.INSTALLING, _S.BLOCKED): "a dependency stopped serving meanwhile",
    (_S.LOADING, _S.ACTIVE): "the process is ready",
    (_S.LOADING, _S.ERROR): "it did not get ready, or crashed too often (the breaker opens)",
    (_S.LOADING, _S.INACTIVE): "unload",
    (_S.LOADING, _S.BLOCKED): "a dependency stopped serving meanwhile",
    (_S.LOADING, _S.INSTALLING): "another release is wanted, which has to be brought first",
    (_S.ACTIVE, _S.LOADING): "the process died and is started again, or the generation before is (rollback)",
    (_S.ACTIVE, _S.DRAINING): "unload, or the host stops",
    (_S.ACTIVE, _S.ERROR): "it crashed too often (the breaker opens)",
    (_S.ACTIVE, _S.INACTIVE): "unloaded while no host was running",
    (_S.DRAINING, _S.INACTIVE): "the last call has ended and the process is gone",
    (_S.DRAINING, _S.LOADING): "load again before it was gone",
    (_S.DRAINING, _S.INSTALLING): "load again before it was gone; files or packages are missing",
    (_S.DRAINING, _S.BLOCKED): "load again before it was gone; a dependency does not serve",
    (_S.INACTIVE, _S.INSTALLING): "load; files or packages are missing on this node",
    (_S.INACTIVE, _S.LOADING): "load, or the host starts again",
    (_S.INACTIVE, _S.BLOCKED): "load; a dependency does not serve yet",
    (_S.ERROR, _S.INSTALLING): "another try; files or packages are missing on this node",
    (_S.ERROR, _S.LOADING): "another try: by the operator, or the breaker's half-open probe",
    (_S.ERROR, _S.INACTIVE): "unload",
    (_S.ERROR, _S.BLOCKED): "another try; a dependency does not serve",
    (_S.BLOCKED, _S.INSTALLING): "the dependencies serve; files or packages are missing",
    (_S.BLOCKED, _S.LOADING): "the dependencies serve",
    (_S.BLOCKED, _S.INACTIVE): "unload",
    (_S.BLOCKED, _S.ERROR): "the release cannot be started at all",
}


def is_legal(before: str, after: str) -> bool:
    """Whether a plugin may go from one state to the other; staying where it is always is."""
    return before == after or (PluginState(before), PluginState(after)) in TRANSITIONS


def markdown() -> str:
    """The states and transitions as they stand in docs/lifecycle.md."""
    states = [f"| `{state}` | {MEANINGS[state]} |" for state in PluginState]
    steps = [f"| `{before}` | `{after}` | {why} |" for (before, after), why in TRANSITIONS.items()]
    head = ["| state | what it means |", "|---|---|", *states, ""]
    return "\n".join([*head, "| from | to | when |", "|---|---|---|", *steps]) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
