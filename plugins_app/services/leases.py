"""A worker's right to a running execution: taken once, renewed while it works, and its ticket to write the outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from plugins_app.models import Execution

from .connections import DATABASE_AWAY, patiently, release_connection
from .events import event_record

__all__ = ["LEASE", "Lease", "leases_lost"]

Status = Execution.Status
LEASE = timedelta(seconds=30)
_RENEW_EVERY = 1.0
_PROGRESS_EVERY = 0.2
_OUTCOME_PATIENCE = 600.0
#: Between two looks at a lease that seems to have run out; its holder renews it far more often.
_SECOND_LOOK = 5.0
_log = logging.getLogger(__name__)


class Lease:
    """One worker's right to a running execution, renewed while the call goes on.

    While the database is away the call goes on all the same: the lease is renewed, and the outcome written, when it
    is back.
    """

    def __init__(self, execution_id: UUID | str, until: datetime) -> None:
        self.id = execution_id
        # Each is what the row may say. The newest is certain, unless a connection broke while it was written.
        self._tickets = [until]
        self._renewed = self._progressed = time.monotonic()
        self._reported = 0.0
        self._cancel = False

    @classmethod
    def take(cls, execution_id: UUID | str) -> Lease | None:
        """The lease, if the execution is still waiting for somebody."""
        lease = cls(execution_id, timezone.now() + LEASE)
        return lease if patiently(lease._take) else None

    @transaction.atomic
    def _take(self) -> bool:
        queued = Execution.objects.filter(id=self.id, status=Status.QUEUED)
        if queued.update(status=Status.RUNNING, started_at=timezone.now(), lease_until=self._tickets[0]):
            plugin_id = Execution.objects.values_list("plugin_id", flat=True).get(id=self.id)
            event_record(event="execution_started", plugin_id=plugin_id, data={"execution_id": str(self.id)})
            return True
        # The connection may have broken after a first try was committed: then it is ours already.
        return self._mine().exists()

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
            self._when_possible(lambda: self._announce(fraction, message))

    def _announce(self, fraction: float | None, message: str) -> None:
        plugin_id = Execution.objects.values_list("plugin_id", flat=True).get(id=self.id)
        data = {"execution_id": str(self.id), "fraction": fraction, "message": str(message)[:500]}
        event_record(event="execution_progress", plugin_id=plugin_id, data=data)

    def _renew(self, **fields: Any) -> None:
        self._renewed = time.monotonic()
        self._when_possible(lambda: self._write_renewal(fields))
        release_connection()

    def _write_renewal(self, fields: dict[str, Any]) -> None:
        mine, until = self._mine(), timezone.now() + LEASE
        self._tickets = [*self._tickets, until]
        if not mine.update(lease_until=until, **fields):
            self._cancel = True  # it was taken from us: stop, and write nothing
            return
        self._tickets = [until]
        self._cancel = Execution.objects.filter(id=self.id, cancel_requested=True).exists()

    def _when_possible(self, write: Callable[[], None]) -> None:
        try:
            write()
        except DATABASE_AWAY as error:
            _log.warning("execution %s goes on without a database for now: %s", self.id, error)

    def finish(self, *, status: str, **fields: Any) -> bool:
        """Write the outcome, if the row is still ours: so it is written once. False: it was not ours any more."""
        return patiently(lambda: self._finish(status, fields), seconds=_OUTCOME_PATIENCE)

    @transaction.atomic
    def _finish(self, status: str, fields: dict[str, Any]) -> bool:
        plugin_id = self._mine().values_list("plugin_id", flat=True).first()
        if not self._mine().update(status=status, finished_at=timezone.now(), lease_until=None, **fields):
            return False
        facts = {"execution_id": str(self.id), "status": str(status)}
        event_record(event="execution_finished", plugin_id=str(plugin_id), data=facts)
        return True

    def give_back(self) -> None:
        """Let somebody else run it: it was not begun."""
        patiently(lambda: self._mine().update(status=Status.QUEUED, started_at=None, lease_until=None))

    def _mine(self) -> Any:
        return Execution.objects.filter(id=self.id, status=Status.RUNNING, lease_until__in=self._tickets)


def leases_lost(*, wait: Callable[[float], object] = time.sleep) -> list[Lease]:
    """The leases whose worker has died.

    The clock alone does not tell: when it is moved, every lease has run out, or none for hours. So each that cannot
    be right now is looked at again some seconds later; a worker that lives has renewed it by then.
    """
    first = _out_of_date()
    if not first:
        return []
    release_connection()
    wait(_SECOND_LOOK)
    second = _out_of_date()
    return [Lease(key, until) for key, until in first.items() if second.get(key) == until]


def _out_of_date() -> dict[UUID, datetime]:
    now = timezone.now()
    rows = Execution.objects.filter(status=Status.RUNNING).exclude(lease_until__range=(now, now + 2 * LEASE))
    return {row.id: row.lease_until for row in rows if row.lease_until}
