"""Executions under duplicates, redelivery and dying workers: run at most once, ended exactly once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from plugins_app.client import CallResult
from plugins_app.models import Execution, LifecycleEvent, Plugin, PluginRelease, PluginVersion
from plugins_app.services import executions, leases
from plugins_app.services.errors import StudioError

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def closed_connection(transactional_db: None) -> Iterator[None]:
    """SQLite's descriptors are given back when the last connection of the process is closed."""
    yield
    connection.close()


@pytest.fixture(autouse=True)
def no_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins_app.services.hints.redis_client", lambda: _Nobody())
    monkeypatch.setattr("plugins_app.services.queue.enqueue", lambda task, *args, **_: True)


class _Nobody:
    def publish(self, channel: str, payload: str) -> None: ...


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that reached the plugin."""
    made: list[str] = []

    def call(**given: Any) -> CallResult:
        made.append(given["method"])
        return CallResult({"n": len(made), "raw": b"\x00"}, 1.0, 7, "d")

    monkeypatch.setattr(executions, "plugin_call", call)
    return made


@pytest.fixture
def plugin() -> Plugin:
    plugin = Plugin.objects.create(id="p", generation=1)
    version = PluginVersion.objects.create(plugin=plugin, digest="d")
    plugin.desired = PluginRelease.objects.create(plugin=plugin, generation=1, version=version, cause="load")
    plugin.save()
    return plugin


@pytest.fixture
def queued(plugin: Plugin) -> Execution:
    return executions.execution_create(plugin_id="p", method="m")[0]


def test_a_message_delivered_many_times_at_once_runs_once(queued: Execution, calls: list[str]) -> None:
    def deliver(_: int) -> bool:
        try:
            return executions.execution_run(execution_id=queued.id)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=8) as threads:
        ran = list(threads.map(deliver, range(8)))
    assert (ran.count(True), calls) == (1, ["m"])
    queued.refresh_from_db()
    assert (queued.status, queued.generation, queued.result) == ("succeeded", 7, {"n": 1, "raw": {"base64": "AA=="}})
    assert LifecycleEvent.objects.filter(event="execution_finished").count() == 1


def test_a_cancelled_one_is_never_begun(queued: Execution, calls: list[str]) -> None:
    assert executions.execution_cancel(execution_id=queued.id).status == "cancelled"
    assert executions.execution_run(execution_id=queued.id) is False
    assert calls == []


@pytest.mark.allow_leaks("descriptor")  # the process keeps its connection to Redis once it has one
def test_a_dead_workers_execution_ends_and_is_not_repeated(queued: Execution, calls: list[str]) -> None:
    lost = timezone.now() - timedelta(seconds=1)
    Execution.objects.filter(id=queued.id).update(status="running", started_at=lost, lease_until=lost)
    assert executions.executions_reap(wait=_at_once) == 1
    queued.refresh_from_db()
    assert queued.status == "failed" and queued.error is not None and queued.error["code"] == "worker_lost"
    assert executions.execution_run(execution_id=queued.id) is False
    assert calls == []


def test_a_worker_that_lost_its_lease_writes_nothing(queued: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(**given: Any) -> CallResult:
        Execution.objects.filter(id=queued.id).update(status="failed", lease_until=None, error={"code": "worker_lost"})
        return CallResult("too late", 1.0, 1, "d")

    monkeypatch.setattr(executions, "plugin_call", slow)
    executions.execution_run(execution_id=queued.id)
    queued.refresh_from_db()
    assert (queued.status, queued.result) == ("failed", None)


def test_what_was_never_begun_is_sent_again(queued: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr("plugins_app.services.queue.enqueue", lambda task, *args: sent.append(args))
    Execution.objects.filter(id=queued.id).update(created_at=timezone.now() - timedelta(minutes=5))
    monkeypatch.setattr(executions, "tasks_waiting", lambda: 0)
    executions.executions_reap()
    assert sent == [(str(queued.id),)]


def test_what_still_waits_for_a_worker_is_not_sent_again(queued: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr("plugins_app.services.queue.enqueue", lambda task, *args: sent.append(args))
    monkeypatch.setattr(executions, "tasks_waiting", lambda: 1)
    Execution.objects.filter(id=queued.id).update(created_at=timezone.now() - timedelta(minutes=5))
    executions.executions_reap()
    assert sent == []


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_is_moved_ends_no_execution(queued: Execution, hours: int) -> None:
    """Before, every lease has run out, or is good for hours; only a worker that is dead leaves it as it is."""
    moved = timezone.now() + timedelta(hours=hours)
    Execution.objects.filter(id=queued.id).update(status="running", started_at=moved, lease_until=moved)
    lease = leases.Lease(queued.id, moved)

    def renewed(seconds: float) -> None:
        lease._renew()

    assert executions.executions_reap(wait=renewed) == 0
    queued.refresh_from_db()
    assert queued.status == "running"
    Execution.objects.filter(id=queued.id).update(lease_until=moved)
    assert executions.executions_reap(wait=_at_once) == 1


def test_a_renewal_whose_commit_is_in_doubt_is_still_ours(queued: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = leases.Lease.take(queued.id)
    assert lease is not None
    real = leases.Lease._write_renewal

    def breaks(self: leases.Lease, fields: dict[str, Any]) -> None:
        real(self, fields)
        self._tickets = [first, *self._tickets]
        raise OperationalError("server closed the connection unexpectedly")

    first = lease._tickets[0]
    monkeypatch.setattr(leases.Lease, "_write_renewal", breaks)
    lease._renew()
    monkeypatch.undo()
    lease._renew()
    assert not lease.cancelled()
    assert lease.finish(status="succeeded", result=1)


def test_an_execution_waits_for_a_plugin_that_is_starting(queued: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    def starting(**given: Any) -> CallResult:
        raise StudioError("plugin_restarting", "p is starting.")

    monkeypatch.setattr(executions, "plugin_call", starting)
    assert executions.execution_run(execution_id=queued.id) is True
    queued.refresh_from_db()
    assert (queued.status, queued.started_at, queued.lease_until) == ("queued", None, None)
    Execution.objects.filter(id=queued.id).update(created_at=timezone.now() - timedelta(minutes=5))
    executions.execution_run(execution_id=queued.id)
    queued.refresh_from_db()
    assert (queued.status, (queued.error or {})["code"]) == ("failed", "plugin_restarting")


def test_an_outcome_is_written_when_the_database_is_back(
    queued: Execution, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = leases.Lease._finish, iter([True, True, False])

    def away(self: leases.Lease, status: str, fields: dict[str, Any]) -> bool:
        if next(failures):
            raise OperationalError("the database system is shutting down")
        return real(self, status, fields)

    monkeypatch.setattr(leases.Lease, "_finish", away)
    executions.execution_run(execution_id=queued.id)
    queued.refresh_from_db()
    assert (queued.status, calls) == ("succeeded", ["m"])


def _at_once(seconds: float) -> None:
    """The second look, without the time between."""


def test_the_plugins_error_is_kept(queued: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**given: Any) -> CallResult:
        raise StudioError("plugin_raised", "its own words", traceback="Traceback…")

    monkeypatch.setattr(executions, "plugin_call", fails)
    executions.execution_run(execution_id=queued.id)
    queued.refresh_from_db()
    assert queued.error is not None
    assert (queued.status, queued.error["code"], queued.error["detail"]) == ("failed", "plugin_raised", "its own words")


def test_an_idempotency_key_belongs_to_one_user_and_one_request(plugin: Plugin, django_user_model: Any) -> None:
    ada, bob = (django_user_model.objects.create_user(name) for name in ("ada", "bob"))
    given: dict[str, Any] = {"plugin_id": "p", "method": "m", "idempotency_key": "k"}
    first, created = executions.execution_create(**given, user=ada)
    again, created_again = executions.execution_create(**given, user=ada)
    other, created_other = executions.execution_create(**given, user=bob)
    assert (created, created_again, created_other) == (True, False, True)
    assert first.id == again.id != other.id
    with pytest.raises(StudioError, match="another request"):
        executions.execution_create(**given, kwargs={"x": 1}, user=ada)
