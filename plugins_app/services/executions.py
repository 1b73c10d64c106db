"""Executions whose outcome is kept. A lease makes redelivery, duplicates and dying workers harmless.

A worker takes a queued row by an atomic update and renews its lease while it works; the lease is its ticket, and only
its holder writes the outcome. A row whose lease ran out is never run again: nobody knows how far it got.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from plugins_app.client import CallResult
from plugins_app.models import Execution, Plugin

from .calls import plugin_call, user_facts, why_not_loaded
from .connections import DATABASE_AWAY, patiently
from .errors import StudioError
from .events import event_record
from .leases import Lease, leases_lost
from .queue import enqueue_on_commit, tasks_waiting

__all__ = ["execution_cancel", "execution_create", "execution_run", "execution_run_now", "executions_reap", "plain"]

Status = Execution.Status
_SEND_AGAIN_AFTER = timedelta(seconds=10)
#: How long an execution waits for a plugin that is wanted and does not serve.
_WAIT_FOR_PLUGIN = timedelta(minutes=2)
_log = logging.getLogger(__name__)


def plain(value: Any) -> Any:
    """A result as JSON-like data; bytes become ``{"base64": ...}``."""
    import base64

    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple | set | frozenset) else value


def execution_create(
    *,
    plugin_id: str,
    method: str,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    user: Any = None,
    idempotency_key: str | None = None,
    queued: bool = True,
) -> tuple[Execution, bool]:
    """A new execution, and True; or the one that the same user made with the same key before, and False."""
    fields = {"method": method, "args": list(args), "kwargs": dict(kwargs or {}), "timeout": timeout}
    row = Execution(id=uuid4(), plugin_id=plugin_id, user=user, idempotency_key=idempotency_key or None, **fields)
    try:
        patiently(lambda: _insert(row, queued))
        return row, True
    except IntegrityError:
        row = patiently(lambda: Execution.objects.get(user=user, idempotency_key=idempotency_key))
    if _signature(row.plugin_id, row.method, row.args, row.kwargs) != _signature(
        plugin_id, method, fields["args"], fields["kwargs"]
    ):
        detail = f"The idempotency key {idempotency_key!r} belongs to another request."
        raise StudioError("idempotency_key_reused", detail, hint="Use a new key for a new request.")
    return row, False


@transaction.atomic
def _insert(row: Execution, queued: bool) -> None:
    """Store a new execution. Its id is chosen before, so that doing it again makes no second one."""
    plugin = Plugin.objects.filter(id=row.plugin_id).only("id", "desired_id").first()
    if plugin is None or plugin.desired_id is None:
        raise why_not_loaded(row.plugin_id)
    if not Execution.objects.filter(id=row.id).exists():
        row.save(force_insert=True)
    if queued:
        enqueue_on_commit("execution_run", str(row.id))


def _signature(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def execution_run_now(*, execution: Execution) -> Execution:
    """Run a new execution in this process and return it finished; its own failure is in the row."""
    _run(execution.id, may_wait=False)
    patiently(execution.refresh_from_db)
    return execution


def execution_run(*, execution_id: UUID | str) -> bool:
    """Run a queued execution to its end. False: somebody else has it, had it, or it was cancelled.

    While the database is away for long it stays in the queue; beat sends it again.
    """
    try:
        return _run(execution_id, may_wait=True)
    except DATABASE_AWAY as error:
        _log.warning("execution %s: the database cannot be used: %s", execution_id, error)
        return False


def _run(execution_id: UUID | str, *, may_wait: bool) -> bool:
    row, user = patiently(lambda: _look_up(execution_id))
    lease = Lease.take(row.id)
    if lease is None:
        return False
    try:
        result = plugin_call(
            plugin_id=row.plugin_id,
            method=row.method,
            args=row.args,
            kwargs=row.kwargs,
            timeout=row.timeout,
            user=user,
            on_progress=lease.progress,
            cancel=lease.cancelled,
        )
        _succeed(lease, row, result)
    except StudioError as error:
        if may_wait and error.code == "plugin_restarting" and timezone.now() - row.created_at < _WAIT_FOR_PLUGIN:
            lease.give_back()  # it was not begun; beat sends it again, perhaps to a node where the plugin serves
            return True
        status = Status.CANCELLED if error.code == "cancelled" else Status.FAILED
        lease.finish(status=status, error=error.to_dict())
    return True


def _look_up(execution_id: UUID | str) -> tuple[Execution, dict[str, Any] | None]:
    """All that the call needs, read before it counts as begun."""
    row = Execution.objects.select_related("user").get(id=execution_id)
    return row, user_facts(row.user)


def _succeed(lease: Lease, row: Execution, result: CallResult) -> None:
    value = plain(result.value)
    try:
        orjson.dumps(value)
    except TypeError as error:
        problem = StudioError("result_not_serializable", f"{row.plugin_id}.{row.method}: {error}.")
        lease.finish(status=Status.FAILED, error=problem.to_dict(), generation=result.generation)
        return
    lease.finish(status=Status.SUCCEEDED, result=value, generation=result.generation, fraction=1.0)


@transaction.atomic
def execution_cancel(*, execution_id: UUID | str) -> Execution:
    """Cancel: at once while it waits, through the plugin's process while it runs.

    Raises:
        StudioError: `execution_finished`.
    """
    row = Execution.objects.select_for_update(of=("self",)).get(id=execution_id)
    if row.status in Execution.TERMINAL:
        raise StudioError("execution_finished", f"The execution has {row.status} already.")
    row.cancel_requested = True
    if row.status == Status.QUEUED:
        row.status, row.finished_at = Status.CANCELLED, timezone.now()
        row.error = StudioError("cancelled", "It was cancelled before it began.").to_dict()
        facts = {"execution_id": str(row.id), "status": row.status}
        event_record(event="execution_finished", plugin_id=row.plugin_id, data=facts)
    row.save(update_fields=["cancel_requested", "status", "finished_at", "error"])
    return row


def executions_reap(*, wait: Callable[[float], object] = time.sleep) -> int:
    """End what a dead worker left running, and send again what was never begun. For beat."""
    error = StudioError(
        "worker_lost", "The worker that ran it died; how far it got is not known.", hint="Run it again."
    )
    ended = [lease.finish(status=Status.FAILED, error=error.to_dict()) for lease in leases_lost(wait=wait)]
    for execution_id in _forgotten():
        enqueue_on_commit("execution_run", str(execution_id))
    return sum(ended)


def _forgotten() -> list[UUID]:
    """What has waited for a while although less is on its way to the workers than waits: its message was lost."""
    now = timezone.now()
    fresh = (now - _SEND_AGAIN_AFTER, now + _SEND_AGAIN_AFTER)  # the clock may have been moved since
    rows = Execution.objects.filter(status=Status.QUEUED).exclude(created_at__range=fresh)
    waiting = list(rows.order_by("created_at").values_list("id", flat=True))
    return waiting if len(waiting) > tasks_waiting() else []
