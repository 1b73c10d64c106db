"""Hooks: any process hears of any event; a failing hook harms nothing."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from plugins_app.services.events import event_record
from plugins_app.services.hooks import HookRegistry
from plugins_app.signals import plugin_event
from tests.studio import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def registry(transactional_db: None, redis_server: str) -> Iterator[HookRegistry]:
    registry = HookRegistry()
    yield registry
    registry.stop()
    connection.close()
    from plugins_app.services.hints import redis_client

    redis_client().close()


def happen(event: str = "plugin_loaded", plugin_id: str = "p", **data: Any) -> None:
    event_record(event=event, plugin_id=plugin_id, data=data)


def test_plain_and_async_callbacks_are_called_in_order(registry: HookRegistry) -> None:
    seen: list[Any] = []

    async def later(plugin_id: str) -> None:
        seen.append(("async", plugin_id))

    happen(plugin_id="before-anybody-listened")
    registry.register("plugin_loaded", lambda plugin_id: seen.append(("plain", plugin_id)))
    registry.register("plugin_loaded", later)
    registry.register("*", lambda plugin_id, data: seen.append((data["event"], data["generation"])))
    happen(generation=3)
    wait_for(lambda: len(seen) == 3, 5)
    assert seen == [("plain", "p"), ("async", "p"), ("plugin_loaded", 3)]


def test_a_failing_hook_harms_nothing(registry: HookRegistry, caplog: pytest.LogCaptureFixture) -> None:
    heard = threading.Event()

    def fails(plugin_id: str) -> None:
        raise RuntimeError("a hook's own fault")

    registry.register("plugin_loaded", fails)
    registry.register("plugin_loaded", lambda plugin_id: heard.set())
    happen()
    assert heard.wait(5)
    assert "a hook's own fault" in caplog.text


def test_what_is_undone_is_not_called(registry: HookRegistry) -> None:
    seen: list[str] = []
    callback: Callable[[str], None] = seen.append
    undo = registry.register("plugin_loaded", callback)
    other = threading.Event()
    registry.register("plugin_unloaded", lambda plugin_id: other.set())
    undo()
    assert registry.unregister("plugin_loaded", callback) is False
    happen()
    happen("plugin_unloaded")
    assert other.wait(5) and seen == []


def test_the_django_signal_is_sent_too(registry: HookRegistry) -> None:
    heard: list[str] = []

    def receiver(sender: str, plugin_id: str, **_: Any) -> None:
        heard.append(f"{sender} {plugin_id}")

    plugin_event.connect(receiver)
    try:
        registry.register("plugin_failed", lambda plugin_id: None)
        happen("plugin_failed", "x")
        wait_for(lambda: heard == ["plugin_failed x"], 5)
    finally:
        plugin_event.disconnect(receiver)


def test_a_misspelt_event_is_refused(registry: HookRegistry) -> None:
    with pytest.raises(ValueError, match="plugin_loaded"):
        registry.register("plugin_loadde", print)


def test_where_writers_overlap_each_waits_for_its_turn(registry: HookRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers go by number, so on PostgreSQL a number may only be given out when all below it can be seen."""
    statements: list[tuple[str, bool]] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, connection.in_atomic_block))
        return None if "pg_advisory_xact_lock" in sql else execute(sql, params, many, context)

    monkeypatch.setattr(connection, "vendor", "postgresql")
    with connection.execute_wrapper(watch):
        happen()
    turns = [(sql, inside) for sql, inside in statements if "advisory" in sql or sql.startswith("INSERT")]
    assert [inside for _, inside in turns] == [True, True]  # the lock is held until the number can be seen
    assert "pg_advisory_xact_lock" in turns[0][0]
