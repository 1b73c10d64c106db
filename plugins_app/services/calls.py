"""Calling a plugin from Django, and saying in words why it did not answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings

from plugins_app import runtime
from plugins_app.client import CallError, CallResult
from plugins_app.models import Plugin, PluginInstance, PluginState

from .connections import release_connection
from .errors import CODES, StudioError
from .hostcalls import HostCalls

__all__ = ["call_error", "plugin_call", "user_facts", "why_not_loaded"]

Progress = Callable[[float | None, str, Any], None]


def user_facts(user: Any) -> dict[str, Any] | None:
    """The calling user as a plugin sees it."""
    if user is None or not user.is_authenticated:
        return None
    is_operator = bool(user.has_perm("plugins_app.operate"))
    return {"id": user.pk, "username": user.get_username(), "is_operator": is_operator}


def plugin_call(
    *,
    plugin_id: str,
    method: str,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    user: dict[str, Any] | None = None,
    on_progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> CallResult:
    """Call a loaded plugin. No query is made unless the plugin does not serve or asks the studio for something.

    Raises:
        StudioError: with the code of what went wrong.
    """
    release_connection()
    try:
        return runtime.blocking_client().call(
            plugin_id,
            method,
            tuple(args),
            dict(kwargs or {}),
            timeout=timeout,
            user=user,
            on_progress=on_progress,
            host=HostCalls().answer,
            cancel=cancel,
        )
    except CallError as error:
        raise call_error(plugin_id, error) from error


def call_error(plugin_id: str, error: CallError) -> StudioError:
    """The client's error as one of the API. Reads the database only to explain `not_loaded`."""
    if error.code == "not_loaded":
        return why_not_loaded(plugin_id)
    # The plugin says so of its own configuration, in the middle of a call: no error of the request.
    code = "plugin_config_invalid" if error.code == "config_invalid" else error.code
    facts = {"plugin_id": plugin_id, "type_name": error.type_name} if error.type_name else {"plugin_id": plugin_id}
    problem = StudioError(
        code,
        error.detail,
        retry_after=error.retry_after,
        traceback=error.traceback,
        extra={**(error.data or {}), **facts},
    )
    if code not in CODES or code == "refused":
        problem.status = error.status
    return problem


def why_not_loaded(plugin_id: str) -> StudioError:
    """No process serves this plugin: unknown, not loaded, on its way, or crashed too often."""
    plugin = Plugin.objects.filter(id=plugin_id).first()
    if plugin is None or plugin.is_removed:
        hint = "GET /api/plugins/available lists the plugins there are."
        return StudioError("plugin_not_found", f"There is no plugin {plugin_id}.", hint=hint)
    if plugin.desired_id is None and plugin.waiting_id is None:
        return StudioError("not_loaded", f"{plugin_id} is not loaded.", hint="Load it first.")
    seen = PluginInstance.objects.filter(plugin=plugin, node=settings.STUDIO_NODE).first()
    if seen is not None and seen.state == PluginState.ERROR:
        reason = (seen.error or {}).get("detail") or "it crashed"
        detail = f"{plugin_id} does not answer: {reason}"
        return StudioError("breaker_open", detail, hint="Correct the cause and reload it.", retry_after=30)
    return StudioError("plugin_restarting", f"{plugin_id} is starting.", hint="Try again.", retry_after=1)
