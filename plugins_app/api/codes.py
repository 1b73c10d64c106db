"""Error codes that several operations of the API can end with, for their documentation."""

from __future__ import annotations

__all__ = ["BLOCKED", "CALLS", "FAILED", "OPERATORS"]

BLOCKED = (
    "permission_required",
    "dependency_missing",
    "dependency_incompatible",
    "dependency_cycle",
    "dependency_failed",
    "dependency_self",
    "dependency_disabled",
    "version_incompatible",
    "folder_missing",
    "manifest_invalid",
)
FAILED = (
    "initialize_raised",
    "initialize_returned_false",
    "initialize_timeout",
    "import_failed",
    "no_class",
    "several_classes",
    "process_died",
    "environment_install_failed",
)
CALLS = (
    "plugin_not_found",
    "method_not_found",
    "method_private",
    "method_lifecycle",
    "method_undeclared",
    "not_loaded",
    "arguments_invalid",
    "invalid",
    "plugin_raised",
    "plugin_crashed",
    "upstream_error",
    "auth_failed",
    "breaker_open",
    "overloaded",
    "not_ready",
    "plugin_restarting",
    "deadline_exceeded",
)
OPERATORS = ("forbidden", "csrf_failed")
