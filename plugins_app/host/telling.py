"""What the host says about a plugin that does not serve as it should: errors with a stable code, in words."""

from __future__ import annotations

import time
from typing import Any

from plugins_app.process.watchdog import BLOCKED_LOOP

__all__ = ["exit_reason", "told"]

_TITLES = {
    "import_failed": "The plugin's code cannot be imported",
    "no_class": "The folder has no plugin class",
    "several_classes": "The folder has several plugin classes",
    "metadata_failed": "The plugin's metadata cannot be read",
    "config_invalid": "The plugin refuses its configuration",
    "initialize_raised": "initialize raised an error",
    "initialize_returned_false": "initialize returned False",
    "initialize_timeout": "initialize took too long",
    "migrate_failed": "The plugin could not take over the state of the one before",
    "process_died": "The plugin process died",
    "soak_failed": "The new generation did not survive its trial",
    "breaker_open": "The plugin keeps crashing",
    "dependency_not_active": "A dependency does not serve",
    "environment_missing": "The plugin's packages are not installed",
    "environment_install_failed": "The plugin's Python packages cannot be installed",
    "digest_missing": "The plugin's files are not in the store",
}


def told(code: str, detail: str, *, hint: str = "", traceback: str = "", recoverable: bool = False) -> dict[str, Any]:
    """An error as it is kept in the node's row."""
    return {
        "code": code,
        "title": _TITLES.get(code, "The plugin did not get ready"),
        "detail": detail,
        "hint": hint,
        "traceback": traceback,
        "recoverable": recoverable,
        "at": time.time(),
    }


def exit_reason(status: int | None) -> str:
    """Why a process ended, in words."""
    if status is None:
        return "it is gone"
    if status == BLOCKED_LOOP:
        return "it blocked its event loop past the deadline of a call"
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"
