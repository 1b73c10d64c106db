"""`POST /api/plugins/execute`. The sync path makes no query of its own: the plugin's process answers or does not."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from plugins_app.models import Execution
from plugins_app.services.calls import plugin_call, user_facts
from plugins_app.services.errors import CODES, StudioError
from plugins_app.services.executions import execution_create, execution_run_now

__all__ = ["execute"]


def execute(given: dict[str, Any], user: Any) -> Response:
    """Call a plugin now, or hand the call to a worker."""
    if given["mode"] == "async" or given.get("idempotency_key"):
        return _kept(given, user)
    result = plugin_call(
        plugin_id=given["plugin_id"],
        method=given["method"],
        args=given["args"],
        kwargs=given["kwargs"],
        timeout=given.get("timeout"),
        user=user_facts(user),
    )
    return Response({"result": result.value, "duration_ms": result.duration_ms, "generation": result.generation})


def _kept(given: dict[str, Any], user: Any) -> Response:
    """An execution with a row of its own; a repeated idempotency key gets the first one's outcome."""
    is_async = given["mode"] == "async"
    row, created = execution_create(
        plugin_id=given["plugin_id"],
        method=given["method"],
        args=given["args"],
        kwargs=given["kwargs"],
        timeout=given.get("timeout"),
        user=user,
        idempotency_key=given.get("idempotency_key"),
        queued=is_async,
    )
    if is_async:
        body = {"execution_id": str(row.id), "status": row.status}
        return Response(body, status=202, headers={"Location": f"/api/executions/{row.id}", "Retry-After": "1"})
    return _outcome(execution_run_now(execution=row) if created else row)


def _outcome(row: Execution) -> Response:
    if row.status not in Execution.TERMINAL:
        detail = f"The execution {row.id} with this idempotency key is {row.status}."
        raise StudioError("execution_in_progress", detail, hint=f"Look at /api/executions/{row.id}.", retry_after=1)
    if row.error is not None:
        raise _kept_error(row.error)
    assert row.started_at is not None and row.finished_at is not None
    duration = (row.finished_at - row.started_at).total_seconds() * 1000
    return Response({"result": row.result, "duration_ms": duration, "generation": row.generation})


def _kept_error(error: dict[str, Any]) -> StudioError:
    """The error of an execution, as it was told the first time."""
    code = error["code"] if error["code"] in CODES else "plugin_error"
    detail, hint = error.get("detail") or "", error.get("hint") or ""
    return StudioError(code, detail, hint=hint, errors=error.get("errors"), traceback=error.get("traceback"))
