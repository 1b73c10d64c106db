"""Executions whose outcome is kept. A lease makes redelivery, duplicates and dying workers harmless.

A worker takes a queued row by an atomic update and renews its lease while it works; the lease is its ticket, and only
its holder writes the outcome. A row whose lease ran out is never run again: nobody knows how far it got.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from plugins_app.client import CallResult
from plugins_app.models import Execution, Plugin

from .calls import plugin_call, user_facts, why_not_loaded
from .errors import StudioError
from .events import event_record
from .queue import enqueue_on_commit

__all__ = ["execution_cancel", "execution_create", "execution_run", "execution_run_now", "executions_reap", "plain"]

Status = Execution.Status
_LEASE = timedelta(seconds=30)
_RENEW_EVERY = 1.0
_PROGRESS_EVERY = 0.2
_LOST_AFTER = timedelta(seconds=30)


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
    plugin = Plugin.objects.filter(id=plugin_id).only("id", "desired_id").first()
    if plugin is None or plugin.desired_id is None:
        raise why_not_loaded(plugin_id)
    fields = {"method": method, "args": list(args), "kwargs": dict(kwargs or {}), "timeout": timeout}
    try:
        with transaction.atomic():
            row = Execution.objects.create(plugin=plugin, user=user, idempotency_key=idempotency_key or None, **fields)
            if queued:
                enqueue_on_commit("execution_run", str(row.id))
            return row, True
    except IntegrityError:
        row = Execution.objects.get(user=user, idempotency_key=idempotency_key)
    if _signature(row.plugin_id, row.method, row.args, row.kwargs) != _signature(
        plugin_id, method, fields["args"], fields["kwargs"]
    ):
        detail = f"The idempotency key {idempotency_key!r} belongs to another request."
        raise StudioError("idempotency_key_reused", detail, hint="Use a new key for a new request.")
    return row, False


def _signature(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def execution_run_now(*, execution: Execution) -> Execution:
    """Run a new execution in this process and return it finished; its own failure is in the row."""
    execution_run(execution_id=execution.id)
    execution.refresh_from_db()
    return execution


def execution_run(*, execution_id: UUID | str) -> bool:
    """Run a queued execution to its end. False: somebody else has it, had it, or it was cancelled."""
    lease = _Lease.take(execution_id)
    if lease is None:
        return False
    row = Execution.objects.select_related("user").get(id=execution_id)
    event_record(event="execution_started", plugin_id=row.plugin_id, data={"execution_id": str(row.id)})
    try:
        result = plugin_call(
            plugin_id=row.plugin_id,
            method=row.method,
            args=row.args,
            kwargs=row.kwargs,
            timeout=row.timeout,
            user=user_facts(row.user),
            on_progress=lease.progress,
            cancel=lease.cancelled,
        )
        _succeed(lease, row, result)
    except StudioError as error:
        status = Status.CANCELLED if error.code == "cancelled" else Status.FAILED
        _finish(lease, row, status=status, error=error.to_dict())
    return True


def _succeed(lease: _Lease, row: Execution, result: CallResult) -> None:
    value = plain(result.value)
    try:
        orjson.dumps(value)
    except TypeError as error:
        problem = StudioError("result_not_serializable", f"{row.plugin_id}.{row.method}: {error}.")
        _finish(lease, row, status=Status.FAILED, error=problem.to_dict(), generation=result.generation)
        return
    _finish(lease, row, status=Status.SUCCEEDED, result=value, generation=result.generation, fraction=1.0)


@transaction.atomic
def _finish(lease: _Lease, row: Execution, *, status: str, **fields: Any) -> None:
    """Write the outcome, if the row is still ours: so it is written once."""
    now = timezone.now()
    mine = Execution.objects.filter(id=row.id, status=Status.RUNNING, lease_until=lease.until)
    if not mine.update(status=status, finished_at=now, lease_until=None, **fields):
        return
    facts = {"execution_id": str(row.id), "status": str(status)}
    event_record(event="execution_finished", plugin_id=row.plugin_id, data=facts)


class _Lease:
    """One worker's right to a running execution, renewed while the call goes on."""

    def __init__(self, execution_id: UUID | str, until: datetime) -> None:
        self.id = execution_id
        self.until = until
        self._renewed = self._progressed = time.monotonic()
        self._reported = 0.0
        self._cancel = False

    @classmethod
    def take(cls, execution_id: UUID | str) -> _Lease | None:
        """The lease, if the execution is still waiting for somebody."""
        now = timezone.now()
        queued = Execution.objects.filter(id=execution_id, status=Status.QUEUED)
        taken = queued.update(status=Status.RUNNING, started_at=now, lease_until=now + _LEASE)
        return cls(execution_id, now + _LEASE) if taken else None

    def cancelled(self) -> bool:
        """Asked a few times a second during the call: renews the lease and learns whether to stop."""
        if time.monotonic() - self._renewed >= _RENEW_EVERY:
            self._renew()
        return self._cancel

    def progress(self, fraction: float | None, message: str, _data: Any = None) -> None:
        """Keep the progress; what comes too fast is left out."""
        now = time.monotonic()
        if now - self._progressed < _PROGRESS_EVERY and fraction != 1:
            return
        self._progressed = now
        self._renew(fraction=fraction, message=str(message)[:500])
        if now - self._reported >= _RENEW_EVERY:
            self._reported = now
            self._announce(fraction, message)

    def _announce(self, fraction: float | None, message: str) -> None:
        plugin_id = Execution.objects.values_list("plugin_id", flat=True).get(id=self.id)
        data = {"execution_id": str(self.id), "fraction": fraction, "message": str(message)[:500]}
        event_record(event="execution_progress", plugin_id=plugin_id, data=data)

    def _renew(self, **fields: Any) -> None:
        self._renewed = time.monotonic()
        until = timezone.now() + _LEASE
        mine = Execution.objects.filter(id=self.id, status=Status.RUNNING, lease_until=self.until)
        if not mine.update(lease_until=until, **fields):
            self._cancel = True  # it was taken from us: stop, and write nothing
            return
        self.until = until
        self._cancel = Execution.objects.filter(id=self.id, cancel_requested=True).exists()


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


def executions_reap() -> int:
    """End what a dead worker left running, and send again what was never begun. For beat."""
    now = timezone.now()
    lost = Execution.objects.filter(status=Status.RUNNING, lease_until__lt=now)
    error = StudioError(
        "worker_lost", "The worker that ran it died; how far it got is not known.", hint="Run it again."
    )
    count = 0
    for row in list(lost):
        lease = _Lease(row.id, row.lease_until or now)
        _finish(lease, row, status=Status.FAILED, error=error.to_dict())
        count += 1
    waiting = Execution.objects.filter(status=Status.QUEUED, created_at__lt=now - _LOST_AFTER)
    for execution_id in waiting.values_list("id", flat=True):
        enqueue_on_commit("execution_run", str(execution_id))
    return count
