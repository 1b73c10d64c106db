"""What a service refuses, and why: one exception, and the table of every stable code the HTTP API can answer with."""

from __future__ import annotations

from typing import Any

from plugins_app.sdk import PluginError

__all__ = ["CODES", "StudioError"]

#: code -> (HTTP status, title). docs/errors.md explains each; a test holds the two lists together.
CODES: dict[str, tuple[int, str]] = {
    # the request
    "bad_request": (400, "The request cannot be understood"),
    "json_malformed": (400, "The body is not valid JSON"),
    "unauthenticated": (401, "Who are you?"),
    "credentials_invalid": (401, "The credentials are wrong"),
    "forbidden": (403, "You may not do this"),
    "csrf_failed": (403, "The CSRF token is missing or wrong"),
    "not_found": (404, "There is nothing here"),
    "plugin_not_found": (404, "There is no such plugin"),
    "execution_not_found": (404, "There is no such execution"),
    "method_not_allowed": (405, "This method is not allowed here"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "Bodies of this media type are not taken here"),
    "invalid": (422, "The request does not fit"),
    "rate_limited": (429, "Too many attempts"),
    "internal_error": (500, "The studio failed"),
    "unavailable": (503, "The studio cannot answer now"),
    # loading, unloading, configuring
    "config_invalid": (422, "The configuration is invalid"),
    "permission_required": (409, "The plugin asks for permissions that are not granted"),
    "dependency_missing": (409, "A plugin this one depends on is missing"),
    "dependency_incompatible": (409, "A plugin this one depends on has the wrong version"),
    "dependency_cycle": (409, "The plugins depend on each other in a circle"),
    "dependency_failed": (409, "A plugin this one depends on cannot be loaded"),
    "dependents_loaded": (409, "Loaded plugins depend on this one"),
    "dependency_self": (409, "The plugin depends on itself"),
    "dependency_disabled": (409, "A plugin this one depends on is disabled"),
    "version_incompatible": (409, "The plugin is made for another version of the studio"),
    "not_loaded": (409, "The plugin is not loaded"),
    "still_loaded": (409, "The plugin is loaded"),
    "superseded": (409, "Another change came first"),
    "version_not_found": (404, "There is no such version of the plugin"),
    "nothing_to_roll_back": (409, "There is nothing to roll back to"),
    "nothing_to_cancel": (409, "Nothing is under way"),
    "install_cancelled": (409, "The installation was cancelled"),
    "package_invalid": (422, "The package cannot be used"),
    "package_too_large": (413, "The package is too large"),
    "not_removed": (409, "The plugin was not removed"),
    "folder_taken": (409, "Another folder is in the way"),
    "disk_full": (507, "The disk is full"),
    "revision_not_found": (404, "There is no such revision of the configuration"),
    "config_migration_failed": (502, "The plugin cannot carry its configuration to this version"),
    "settling": (202, "The change is under way"),
    # a folder that cannot be used
    "folder_missing": (409, "The plugin's folder is gone"),
    "id_invalid": (409, "The folder's name cannot be a plugin id"),
    "id_mismatch": (409, "The plugin's id does not match its folder"),
    "no_plugin_file": (409, "The folder has neither plugin.py nor plugin.toml"),
    "manifest_invalid": (409, "plugin.toml is invalid"),
    "metadata_invalid": (409, "The plugin's metadata is invalid"),
    "schema_invalid": (409, "The plugin's configuration schema is invalid"),
    "config_file_invalid": (409, "The plugin's config.json is invalid"),
    "file_too_large": (409, "A file of the plugin is too large"),
    "folder_too_large": (409, "The plugin's folder is too large"),
    "file_unreadable": (409, "A file of the plugin cannot be read"),
    "file_special": (409, "The folder holds something that is not a file"),
    "symlink_dangling": (409, "A symbolic link points to nothing"),
    "symlink_escapes": (409, "A symbolic link leaves the plugin's folder"),
    "metadata_failed": (502, "The plugin's metadata cannot be read"),
    "inspection_timeout": (502, "The plugin did not say what it is in time"),
    "snapshot_failed": (503, "The plugin could not be copied into the store"),
    # a plugin process that did not get ready
    "initialize_raised": (502, "The plugin's initialize raised"),
    "initialize_returned_false": (502, "The plugin's initialize returned False"),
    "initialize_timeout": (502, "The plugin's initialize took too long"),
    "import_failed": (502, "The plugin cannot be imported"),
    "no_class": (502, "The plugin has no plugin class"),
    "several_classes": (502, "The plugin has several plugin classes"),
    "process_died": (502, "The plugin's process died"),
    "digest_missing": (502, "The plugin's files are not in the store"),
    "migrate_failed": (502, "The plugin could not take over the state of the one before"),
    "soak_failed": (502, "The new generation did not survive its trial"),
    "environment_missing": (502, "The plugin's Python environment is not there"),
    "environment_install_failed": (502, "The plugin's Python packages cannot be installed"),
    "load_failed": (502, "The plugin could not be loaded"),
    # calling a plugin
    "method_not_found": (404, "The plugin has no such method"),
    "method_private": (403, "The method is private"),
    "method_lifecycle": (403, "The method belongs to the studio"),
    "method_undeclared": (403, "The method is not declared"),
    "permission_denied": (403, "The plugin may not do this"),
    "refused": (403, "A plugin refused it"),
    "arguments_invalid": (422, "The arguments do not fit the method"),
    "plugin_raised": (502, "The plugin raised"),
    "plugin_error": (502, "The plugin failed"),
    "drain_timeout": (502, "The call was cut off, because its plugin was replaced"),
    "arguments_too_large": (413, "The arguments are too large"),
    "plugin_crashed": (502, "The plugin's process crashed"),
    "upstream_error": (502, "The plugin's upstream failed"),
    "auth_failed": (502, "The plugin's upstream refused its credentials"),
    "plugin_config_invalid": (502, "The plugin says that its configuration cannot work"),
    "result_not_serializable": (502, "The plugin's result cannot be sent"),
    "not_ready": (503, "The plugin is not ready"),
    "overloaded": (503, "The plugin has too many calls"),
    "plugin_restarting": (503, "The plugin is restarting"),
    "breaker_open": (503, "The plugin crashed too often"),
    "deadline_exceeded": (504, "The call's time was up"),
    "cancelled": (499, "The call was cancelled"),
    "call_loop": (409, "Plugins called each other in a circle"),
    "storage_quota": (413, "The plugin's storage is full"),
    "counter_quota": (413, "The plugin has too many counters"),
    # webhooks and nodes
    "webhook_not_found": (404, "There is no such webhook"),
    "delivery_not_found": (404, "There is no such delivery"),
    "address_refused": (422, "The studio may not call this address"),
    "node_not_found": (404, "There is no such node"),
    # executions
    "execution_finished": (409, "The execution has finished"),
    "execution_in_progress": (409, "The execution is under way"),
    "idempotency_key_reused": (422, "The idempotency key was used for something else"),
    "worker_lost": (502, "The worker died"),
}


class StudioError(PluginError):
    """Refused or failed, with a stable `code`. The text says what happened, to what, and what to do next."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        hint: str = "",
        errors: list[dict[str, str]] | None = None,
        retry_after: float | None = None,
        traceback: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code  # type: ignore[misc]  # one class for all codes: the table above is the tree
        self.status, self.title = CODES.get(code, (502, "The plugin failed"))
        self.detail, self.hint = detail, hint
        self.errors = errors or []
        self.retry_after = retry_after
        self.traceback = traceback
        self.extra = extra or {}
        self.retryable = self.status in (429, 503, 504)

    @property
    def details(self) -> dict[str, Any]:
        """What travels with the error when a plugin's host call ends in it."""
        return {"errors": self.errors} if self.errors else {}

    def to_dict(self) -> dict[str, Any]:
        """The error as it is kept in a row; the traceback is for operators only."""
        data = {"code": self.code, "title": self.title, "detail": self.detail, "hint": self.hint, "errors": self.errors}
        return data | self.extra | ({"traceback": self.traceback} if self.traceback else {})
