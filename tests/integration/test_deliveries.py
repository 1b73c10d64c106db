"""The outbox of webhooks: stored with the event, sent at least once, repeated, given up."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest
import standardwebhooks
from django.db import connection, transaction
from django.utils import timezone

from plugins_app.models import Webhook, WebhookDelivery
from plugins_app.services import deliveries
from plugins_app.services.deliveries import deliveries_prune, deliveries_resume, delivery_send
from plugins_app.services.events import event_record
from plugins_app.services.webhooks import (
    delivery_redeliver,
    webhook_create,
    webhook_delete,
    webhook_rotate,
    webhook_test,
    webhook_update,
)
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db(transaction=True)
Handed = list[tuple[str, float | None]]


@pytest.fixture(autouse=True)
def handed(transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Handed]:
    """What was handed to Celery: delivery and countdown."""
    settings.STUDIO_WEBHOOK_ALLOW = ("127.0.0.1",)
    kept: Handed = []

    def enqueue(task: str, one: str, *, countdown: float | None = None) -> bool:
        assert task == "webhook_deliver"
        kept.append((one, countdown))
        return True

    monkeypatch.setattr("plugins_app.services.queue.enqueue", enqueue)
    monkeypatch.setattr("plugins_app.services.hints.redis_client", lambda: _Nobody())
    monkeypatch.setattr(deliveries.random, "uniform", lambda low, high: 1.0)
    yield kept
    connection.close()


class _Nobody:
    def publish(self, channel: str, payload: str) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def hook(receiver: Receiver) -> Webhook:
    return webhook_create(name="mine", url=receiver.url)[0]


def happen(event: str = "plugin_loaded", plugin_id: str = "p", **data: Any) -> list[WebhookDelivery]:
    row = event_record(event=event, plugin_id=plugin_id, data=data, node="here")
    return list(WebhookDelivery.objects.filter(event=row).order_by("webhook__name"))


def due_now(row: WebhookDelivery) -> WebhookDelivery:
    """Let the time pass that the schedule asks for."""
    WebhookDelivery.objects.filter(id=row.id).update(next_attempt_at=timezone.now())
    row.refresh_from_db()
    return row


def sent(row: WebhookDelivery) -> WebhookDelivery:
    assert delivery_send(delivery_id=row.id)
    row.refresh_from_db()
    return row


def in_seconds(row: WebhookDelivery) -> int:
    assert row.next_attempt_at is not None
    return round((row.next_attempt_at - timezone.now()).total_seconds())


def test_an_event_becomes_a_signed_message(receiver: Receiver, handed: Handed) -> None:
    hook, secret = webhook_create(name="mine", url=receiver.url)
    [row] = happen(generation=3, plugin_id_of_others="x")
    assert handed == [(str(row.id), None)] and receiver.messages == []
    sent(row)
    [message] = receiver.messages
    told = standardwebhooks.Webhook(secret).verify(message.body, message.headers)
    assert told["type"] == "plugin_loaded" and message.headers["webhook-id"] == str(row.id)
    assert told["data"] == {
        "plugin_id": "p",
        "generation": 3,
        "plugin_id_of_others": "x",
        "id": row.event_id,
        "node": "here",
    }
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None
    assert (row.status, row.next_attempt_at, row.lease_until) == ("delivered", None, None)
    assert row.finished_at and row.attempts[0]["status"] == 200 and row.attempts[0]["answer"] == "ok"
    hook.refresh_from_db()
    assert hook.last_success_at and hook.failures == 0


def test_what_an_event_says_cannot_pass_for_what_the_studio_says(receiver: Receiver, hook: Webhook) -> None:
    row = event_record(event="p:x", plugin_id="p", data={"id": 0, "plugin_id": "other", "node": "there"}, node="here")
    told = json.loads(WebhookDelivery.objects.get(event=row).body)["data"]
    assert (told["id"], told["plugin_id"], told["node"]) == (row.id, "p", "here")


@pytest.mark.parametrize(
    ("events", "plugins", "event", "plugin_id", "wanted"),
    [
        ([], [], "plugin_loaded", "p", True),
        ([], [], "p:sold_out", "p", True),
        ([], [], "execution_progress", "p", False),
        (["execution_progress"], [], "execution_progress", "p", True),
        (["plugin_loaded"], [], "plugin_unloaded", "p", False),
        (["plugin_loaded"], ["q"], "plugin_loaded", "p", False),
        (["plugin_loaded"], ["p", "q"], "plugin_loaded", "p", True),
        ([], ["q"], "plugin_loaded", "p", False),
        (["p:sold_out"], [], "p:sold_out", "p", True),
        (["p:sold_out"], [], "p:sold_out_again", "p", False),
        (["p:*"], [], "p:sold_out", "p", True),
        (["p:*"], [], "pq:sold_out", "pq", False),
        (["p:*"], [], "plugin_loaded", "p", False),
    ],
)
def test_a_webhook_hears_of_what_it_wants(
    events: list[str], plugins: list[str], event: str, plugin_id: str, wanted: bool
) -> None:
    webhook_create(name="one", url="http://127.0.0.1:1/", events=events, plugins=plugins)
    assert bool(happen(event, plugin_id)) == wanted


def test_a_disabled_webhook_hears_of_nothing(hook: Webhook) -> None:
    webhook_update(webhook=hook, fields={"enabled": False})
    assert happen() == []


def test_the_message_exists_exactly_when_the_event_does(hook: Webhook, handed: Handed) -> None:
    class TakenBack(Exception):
        pass

    with pytest.raises(TakenBack), transaction.atomic():
        assert len(happen()) == 1
        raise TakenBack
    assert not WebhookDelivery.objects.exists() and handed == []


@pytest.mark.parametrize("hooks", [0, 1, 5])
def test_events_cost_little(hooks: int, django_assert_num_queries: Callable[..., Any]) -> None:
    """One look for webhooks, and one more statement for all messages of an event."""
    for number in range(hooks):
        webhook_create(name=str(number), url="http://127.0.0.1:1/")
    turn = 1 if connection.vendor == "postgresql" else 0
    with transaction.atomic(), django_assert_num_queries(turn + (3 if hooks else 2)):
        event_record(event="plugin_loaded", plugin_id="p")


def test_a_failed_attempt_is_repeated_after_the_schedule(receiver: Receiver, hook: Webhook, handed: Handed) -> None:
    receiver.answer(500, body=b"no room")
    [row] = happen()
    waits = []
    for _ in range(9):
        sent(due_now(row))
        waits.append(in_seconds(row))
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert [countdown and round(countdown) for _, countdown in handed] == [None, 5]  # the long waits are beat's
    sent(due_now(row))
    assert (row.status, row.next_attempt_at, len(row.attempts)) == ("failed", None, 10)
    assert row.attempts[-1]["status"] == 500 and row.attempts[-1]["answer"] == "no room"
    assert len({message.headers["webhook-id"] for message in receiver.messages}) == 1
    assert not delivery_send(delivery_id=row.id)


def test_the_waits_differ_a_little(monkeypatch: pytest.MonkeyPatch, receiver: Receiver, hook: Webhook) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return 3.0

    monkeypatch.setattr(deliveries.random, "uniform", uniform)
    receiver.answer(500)
    assert in_seconds(sent(happen()[0])) == 15 and asked == [(0.9, 1.1)]


@pytest.mark.parametrize("status", [301, 302, 304, 400, 404, 429, 500, 503])
def test_whatever_is_not_2xx_is_a_failure(receiver: Receiver, hook: Webhook, status: int) -> None:
    receiver.answer(status)
    row = sent(happen()[0])
    assert (row.status, row.attempts[0]["status"], in_seconds(row)) == ("waiting", status, 5)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("spelling", ["seconds", "date"])
def test_a_receiver_can_ask_for_time(receiver: Receiver, hook: Webhook, status: int, spelling: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=601), usegmt=True)
    receiver.answer(status, headers={"Retry-After": "600" if spelling == "seconds" else date})
    assert 598 <= in_seconds(sent(happen()[0])) <= 601


@pytest.mark.parametrize(("asked", "waits"), [("1", 5), ("soon", 5), ("-4", 5), ("999999999", 86400)])
def test_it_cannot_ask_for_less_than_the_schedule_nor_for_ever(
    receiver: Receiver, hook: Webhook, asked: str, waits: int
) -> None:
    receiver.answer(503, headers={"Retry-After": asked})
    assert in_seconds(sent(happen()[0])) == waits


def test_gone_is_the_last_word(receiver: Receiver, hook: Webhook) -> None:
    receiver.answer(410)
    row = sent(happen()[0])
    hook.refresh_from_db()
    assert (row.status, hook.enabled, hook.disabled_reason) == ("failed", False, "The receiver answered 410 Gone.")
    assert hook.disabled_at and happen() == []


def give_up(row: WebhookDelivery) -> None:
    while row.status == "waiting":
        sent(due_now(row))


def test_who_takes_nothing_any_more_is_disabled(receiver: Receiver, hook: Webhook, settings: Any) -> None:
    settings.STUDIO_WEBHOOK_SCHEDULE, settings.STUDIO_WEBHOOK_FAILURES = (0, 1), 4
    receiver.answer(500)
    give_up(happen()[0])
    hook.refresh_from_db()
    assert (hook.enabled, hook.failures) == (True, 2)
    give_up(happen()[0])
    hook.refresh_from_db()
    assert not hook.enabled and "Nothing was accepted since" in hook.disabled_reason

    webhook_update(webhook=hook, fields={"enabled": True})
    assert (hook.failures, hook.disabled_reason, hook.disabled_at) == (0, "", None) and len(happen()) == 1


def test_who_refuses_one_message_only_is_not(receiver: Receiver, hook: Webhook, settings: Any) -> None:
    settings.STUDIO_WEBHOOK_SCHEDULE, settings.STUDIO_WEBHOOK_FAILURES = (0, 1, 1), 1
    receiver.answer(500)
    poison = sent(happen()[0])
    receiver.answer(200)
    sent(happen()[0])
    receiver.answer(500)
    give_up(poison)
    hook.refresh_from_db()
    assert poison.status == "failed" and hook.enabled


def test_what_waits_when_a_webhook_is_disabled_is_sent_when_it_is_enabled(receiver: Receiver, hook: Webhook) -> None:
    [row] = happen()
    webhook_update(webhook=hook, fields={"enabled": False})
    assert not delivery_send(delivery_id=row.id) and deliveries_resume() == 0
    webhook_update(webhook=hook, fields={"enabled": True})
    assert deliveries_resume() == 1 and sent(row).status == "delivered"


def test_two_workers_never_send_the_same_attempt(hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    [row] = happen()
    calls: list[str] = []
    answer = deliveries.post

    def slow(url: str, **options: Any) -> Any:
        calls.append(url)
        assert not delivery_send(delivery_id=row.id)  # a second task while the first one is sending
        return answer(url, **options)

    monkeypatch.setattr(deliveries, "post", slow)
    sent(row)
    assert len(calls) == 1


def test_many_workers_at_once_send_each_message_once(receiver: Receiver, hook: Webhook) -> None:
    rows = [happen()[0] for _ in range(12)]

    def work(row: WebhookDelivery) -> None:
        try:
            delivery_send(delivery_id=row.id)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, [*rows, *rows]))
    while deliveries_resume():
        for row in rows:
            delivery_send(delivery_id=row.id)
    came = [message.headers["webhook-id"] for message in receiver.messages]
    assert sorted(came) == sorted(str(row.id) for row in rows)


def test_what_a_dead_worker_had_is_sent_again_under_its_id(receiver: Receiver, hook: Webhook) -> None:
    [row] = happen()
    WebhookDelivery.objects.filter(id=row.id).update(lease_until=timezone.now() + timedelta(seconds=60))
    assert not delivery_send(delivery_id=row.id) and deliveries_resume() == 0
    WebhookDelivery.objects.filter(id=row.id).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert deliveries_resume() == 1
    assert sent(row).status == "delivered"


def test_a_lease_from_before_the_clock_was_moved_holds_nobody_up(receiver: Receiver, hook: Webhook) -> None:
    [row] = happen()
    WebhookDelivery.objects.filter(id=row.id).update(lease_until=timezone.now() + timedelta(hours=5))
    assert sent(row).status == "delivered"


def test_a_worker_whose_lease_is_over_writes_nothing(hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    [row] = happen()

    def late(url: str, **options: Any) -> Any:
        WebhookDelivery.objects.filter(id=row.id).update(lease_until=timezone.now() + timedelta(seconds=99))
        return deliveries.Answer(1.0, status=200)

    monkeypatch.setattr(deliveries, "post", late)
    sent(row)
    assert (row.status, row.attempts) == ("waiting", [])


def test_a_receiver_that_hangs_takes_few_workers(hook: Webhook) -> None:
    rows = [happen()[0] for _ in range(deliveries.AT_ONCE + 1)]
    busy = WebhookDelivery.objects.filter(id__in=[row.id for row in rows[:-1]])
    busy.update(lease_until=timezone.now() + timedelta(seconds=60))
    assert not delivery_send(delivery_id=rows[-1].id)


def test_who_sends_one_message_goes_on_with_the_next(receiver: Receiver, hook: Webhook) -> None:
    rows = [happen()[0] for _ in range(5)]
    assert delivery_send(delivery_id=rows[3].id)
    assert {row.status for row in WebhookDelivery.objects.all()} == {"delivered"}
    assert not delivery_send(delivery_id=rows[0].id)


def test_beat_hands_over_a_few_for_each_receiver(hook: Webhook, handed: Handed) -> None:
    other = webhook_create(name="other", url=hook.url)[0]
    for _ in range(10):
        happen()
    handed.clear()
    assert deliveries_resume() == 2 * deliveries.AT_ONCE
    by_hook = [WebhookDelivery.objects.get(id=one).webhook_id for one, _ in handed]
    assert by_hook.count(other.id) == by_hook.count(hook.id) == deliveries.AT_ONCE


def test_without_redis_one_try_is_made_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def enqueue(task: str, one: str, **_: Any) -> bool:
        tries.append(one)
        return False

    monkeypatch.setattr("plugins_app.services.queue.enqueue", enqueue)
    for name in "abc":
        webhook_create(name=name, url="http://127.0.0.1:1/")
    assert len(happen()) == 3 and len(tries) == 1


def test_the_address_is_checked_at_every_send(receiver: Receiver, hook: Webhook, settings: Any) -> None:
    settings.STUDIO_WEBHOOK_ALLOW = ()
    row = sent(happen()[0])
    assert row.attempts[0]["error"] == "refused: 127.0.0.1 is this machine itself" and receiver.messages == []


def test_during_a_rotation_both_secrets_count(receiver: Receiver, settings: Any) -> None:
    hook, old = webhook_create(name="mine", url=receiver.url)
    new = webhook_rotate(webhook=hook)
    sent(happen()[0])
    message = receiver.messages[0]
    for secret in (old, new):
        standardwebhooks.Webhook(secret).verify(message.body, message.headers)

    row = Webhook.objects.get(id=hook.id)
    row.secret["previous_until"] = timezone.now().isoformat()
    row.save()
    sent(happen()[0])
    message = receiver.messages[1]
    standardwebhooks.Webhook(new).verify(message.body, message.headers)
    assert " " not in message.headers["webhook-signature"]


def test_no_secret_is_stored_as_it_is() -> None:
    hook, old = webhook_create(name="mine", url="http://127.0.0.1:1/")
    new = webhook_rotate(webhook=hook)
    stored = json.dumps(Webhook.objects.values().get(), default=str)
    assert old not in stored and new not in stored and stored.count("$secret") == 2


def test_a_secret_that_cannot_be_read_is_told_in_the_log(hook: Webhook, receiver: Receiver) -> None:
    Webhook.objects.filter(id=hook.id).update(secret={"current": {"$secret": "gAAAA"}})
    row = sent(happen()[0])
    assert "rotate its secret" in row.attempts[0]["error"] and receiver.messages == []


def test_a_test_is_sent_at_once_and_not_repeated(receiver: Receiver, hook: Webhook) -> None:
    assert webhook_test(webhook=hook).status == "delivered"
    receiver.answer(500)
    failed = webhook_test(webhook=hook)
    assert (failed.status, failed.next_attempt_at, failed.attempts[0]["status"]) == ("failed", None, 500)
    assert [json.loads(message.body)["type"] for message in receiver.messages] == ["webhook.test"] * 2
    hook.refresh_from_db()
    assert hook.failures == 0


def test_a_disabled_webhook_can_be_tested(receiver: Receiver, hook: Webhook) -> None:
    webhook_update(webhook=hook, fields={"enabled": False})
    assert webhook_test(webhook=hook).status == "delivered"


def test_a_test_whose_process_died_does_not_wait_for_ever(hook: Webhook) -> None:
    row = WebhookDelivery.objects.create(id=uuid4(), webhook=hook, type=deliveries.TEST, body="{}")
    deliveries_resume()
    row.refresh_from_db()
    assert row.status == "waiting"
    WebhookDelivery.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    deliveries_resume()
    row.refresh_from_db()
    assert row.status == "failed"


def test_a_message_is_sent_again_by_hand(receiver: Receiver, hook: Webhook) -> None:
    row = sent(happen()[0])
    again = delivery_redeliver(delivery=row)
    assert again.status == "delivered" and len(again.attempts) == 2
    assert receiver.messages[0].headers["webhook-id"] == receiver.messages[1].headers["webhook-id"]
    assert receiver.messages[0].body == receiver.messages[1].body
    receiver.answer(500)
    once_more = delivery_redeliver(delivery=row)
    assert (once_more.status, once_more.next_attempt_at) == ("delivered", None)  # it had arrived


def test_a_waiting_message_sent_by_hand_keeps_its_schedule(receiver: Receiver, hook: Webhook) -> None:
    receiver.answer(500)
    row = sent(happen()[0])
    again = delivery_redeliver(delivery=row)
    assert (again.status, in_seconds(again)) == ("waiting", 300)


def test_deleting_a_webhook_takes_its_messages_and_no_event(hook: Webhook) -> None:
    [row] = happen()
    webhook_delete(webhook=hook)
    assert not WebhookDelivery.objects.exists() and row.event is not None
    row.event.refresh_from_db()
    assert happen() == []


def test_no_event_fails_because_its_receiver_is_taken_away_meanwhile(hook: Webhook) -> None:
    written, deleted = threading.Event(), threading.Event()

    def take_away() -> None:
        try:
            assert written.wait(20)
            webhook_delete(webhook=hook)
            deleted.set()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(take_away)
        with transaction.atomic():
            [row] = happen()
            written.set()
            deleted.wait(0.5)  # it is not: it waits for us
        taking.result(20)
    assert not WebhookDelivery.objects.exists() and row.event is not None
    row.event.refresh_from_db()


def test_old_messages_are_forgotten(hook: Webhook) -> None:
    old, new = happen()[0], happen()[0]
    WebhookDelivery.objects.filter(id=old.id).update(created_at=timezone.now() - timedelta(days=31))
    assert deliveries_prune() == 1
    assert WebhookDelivery.objects.get() == new
