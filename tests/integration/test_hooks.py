"""Hooks and signals: any process hears of any event, once and in order; a failing hook harms nothing."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.dispatch import receiver

from plugins_app import signals
from plugins_app.models import LifecycleEvent
from plugins_app.services.events import EVENTS, event_record
from plugins_app.services.hooks import HookRegistry
from plugins_app.signals import SIGNALS, LifecycleSignal, plugin_event, plugin_loaded
from tests.studio import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def registry(transactional_db: None, redis_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[HookRegistry]:
    registry = HookRegistry()
    monkeypatch.setattr(LifecycleSignal, "listen", registry.listen)
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


@pytest.mark.parametrize("fault", [SystemExit(3), asyncio.CancelledError(), RuntimeError("gone")])
def test_nothing_a_hook_raises_ends_the_others(registry: HookRegistry, fault: BaseException) -> None:
    def fails(plugin_id: str) -> None:
        raise fault

    async def fails_later(plugin_id: str) -> None:
        raise fault

    heard: list[str] = []
    for callback in (fails, fails_later, heard.append):
        registry.register("plugin_loaded", callback)
    happen(plugin_id="a")
    happen(plugin_id="b")
    wait_for(lambda: heard == ["a", "b"], 5)


@pytest.fixture
def connected() -> Iterator[list[Any]]:
    """Signals' receivers of a test: (signal, receiver), disconnected afterwards."""
    made: list[Any] = []
    yield made
    for signal, function in made:
        signal.disconnect(function)


def test_connecting_a_receiver_is_enough(registry: HookRegistry, connected: list[Any]) -> None:
    heard: list[Any] = []

    def hear(sender: Any, plugin_id: str, data: dict[str, Any], **_: Any) -> None:
        heard.append((sender, plugin_id, data["generation"]))

    plugin_loaded.connect(hear)
    connected.append((plugin_loaded, hear))
    happen("plugin_unloaded", "x")
    happen("plugin_loaded", "x", generation=3)
    wait_for(lambda: heard == [(LifecycleEvent, "x", 3)], 5)


def test_each_event_has_a_signal_and_there_is_one_for_all(registry: HookRegistry, connected: list[Any]) -> None:
    heard: list[tuple[str, str]] = []

    def hear_one(signal: Any, plugin_id: str, data: dict[str, Any], **_: Any) -> None:
        heard.append((next(name for name, each in SIGNALS.items() if each is signal), data["event"]))

    def hear_all(sender: str, **_: Any) -> None:
        heard.append(("plugin_event", sender))

    assert set(SIGNALS) == set(EVENTS) and set(EVENTS) <= set(signals.__all__)
    for signal in SIGNALS.values():
        signal.connect(hear_one)
        connected.append((signal, hear_one))
    plugin_event.connect(hear_all)
    connected.append((plugin_event, hear_all))
    for event in (*EVENTS, "p:sold_out"):
        happen(event)
    expected = [pair for event in EVENTS for pair in ((event, event), ("plugin_event", event))]
    wait_for(lambda: heard == [*expected, ("plugin_event", "p:sold_out")], 5)


def test_a_receiver_can_ask_for_one_event_by_its_name(registry: HookRegistry, connected: list[Any]) -> None:
    heard: list[str] = []

    def hear(sender: str, plugin_id: str, **_: Any) -> None:
        heard.append(f"{sender} {plugin_id}")

    plugin_event.connect(hear, sender="plugin_failed")
    connected.append((plugin_event, hear))
    happen("plugin_loaded", "x")
    happen("plugin_failed", "x")
    happen("plugin_failed", "y")
    wait_for(lambda: heard == ["plugin_failed x", "plugin_failed y"], 5)


def test_receivers_may_be_async_and_may_fail(
    registry: HookRegistry, connected: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    @receiver(plugin_loaded)
    def fails(**_: Any) -> None:
        raise RuntimeError("a receiver's own fault")

    @receiver(plugin_loaded)
    async def hear(plugin_id: str, **_: Any) -> None:
        heard.append(plugin_id)

    connected += [(plugin_loaded, fails), (plugin_loaded, hear)]
    happen(plugin_id="a")
    wait_for(lambda: heard == ["a"], 5)
    assert "a receiver's own fault" in caplog.text


def test_it_can_be_done_on_an_event_loop(registry: HookRegistry) -> None:
    heard: list[str] = []

    async def register() -> None:
        registry.register("plugin_loaded", heard.append)

    asyncio.run(register())
    happen()
    wait_for(lambda: heard == ["p"], 5)


def test_a_receiver_connected_while_the_apps_are_set_up_hears_of_what_comes_after(
    registry: HookRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.apps import apps

    heard: list[str] = []
    monkeypatch.setattr(apps, "ready", False)
    registry.register("plugin_loaded", heard.append)  # asks the database nothing, and waits for nothing
    monkeypatch.setattr(apps, "ready", True)
    registry.register("plugin_unloaded", heard.append)  # returns when reading has begun
    happen(plugin_id="a")
    wait_for(lambda: heard == ["a"], 5)


def test_a_database_that_is_away_is_waited_for(registry: HookRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    registry.register("plugin_loaded", heard.append)
    real, tries = registry._drain, []

    def away(me: threading.Thread) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise DatabaseError("the server is restarted")
        real(me)

    monkeypatch.setattr(registry, "_drain", away)
    happen()
    wait_for(lambda: heard == ["p"], 10)


def test_a_child_goes_on_where_its_parent_was(registry: HookRegistry) -> None:
    """What Celery's worker does: a hook registered before the fork is called in each process, once."""
    heard: list[str] = []
    reading, writing = os.pipe()

    def hear(plugin_id: str) -> None:
        heard.append(plugin_id)
        if os.getpid() != parent:
            os.write(writing, f"{plugin_id} ".encode())

    parent = os.getpid()
    registry.register("plugin_loaded", hear)
    happen(plugin_id="before")
    wait_for(lambda: heard == ["before"], 5)
    child = os.fork()
    if child == 0:
        wait_for(lambda: heard == ["before", "a", "b"], 20)
        os._exit(0)
    happen(plugin_id="a")
    happen(plugin_id="b")
    assert os.waitpid(child, 0)[1] == 0
    wait_for(lambda: heard == ["before", "a", "b"], 5)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert told.read() == "a b "


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
