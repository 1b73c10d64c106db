"""Streams of events: resumed where they were left, narrowed, and honest about what is gone."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client
from django.utils import timezone

from plugins_app.api import events as streams
from plugins_app.models import LifecycleEvent, Webhook, WebhookDelivery
from plugins_app.services import events
from plugins_app.services.access import api_key_create
from plugins_app.services.events import event_record, events_prune

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api(transactional_db: None, redis_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(streams, "_PING_EVERY", 0.0)
    yield Client(headers={"Authorization": f"Bearer {api_key_create(name='u', role='user')[1]}"})
    connection.close()
    from plugins_app.services.hints import redis_client

    redis_client().close()


def happen(event: str = "plugin_loaded", plugin_id: str = "p", **data: Any) -> LifecycleEvent:
    return event_record(event=event, plugin_id=plugin_id, data=data, node="here")


def told(api: Client, query: str = "", **headers: str) -> list[tuple[str, str, Any]]:
    """What a client hears until the first ping: id, event, data."""
    answer: Any = api.get(f"/api/plugins/events{query}", headers=headers)
    assert answer.status_code == 200, answer.content

    @async_to_sync
    async def read() -> list[bytes]:
        heard = []
        stream = aiter(answer.streaming_content)
        async for block in stream:
            heard.append(block)
            if block.startswith(b": ping") or (b"event:" not in block and block.startswith(b"id:")):
                break
        await stream.aclose()
        return heard

    return [_parsed(block) for block in read() if b"event:" in block]


def _parsed(block: bytes) -> tuple[str, str, Any]:
    fields = dict(line.split(": ", 1) for line in block.decode().strip().splitlines())
    return fields["id"], fields["event"], json.loads(fields["data"])


@pytest.mark.parametrize("how", ["header", "query"])
def test_whoever_comes_back_hears_what_was_missed(api: Client, how: str) -> None:
    first, second, third = happen(), happen("plugin_unloaded"), happen()
    assert told(api) == []
    if how == "header":
        heard = told(api, **{"Last-Event-ID": str(first.id)})
    else:
        heard = told(api, f"?last_event_id={first.id}")
    assert [(number, name) for number, name, _ in heard] == [
        (str(second.id), "plugin_unloaded"),
        (str(third.id), "plugin_loaded"),
    ]


def test_a_stream_can_be_narrowed(api: Client) -> None:
    start = happen().id
    for event, plugin in (("plugin_loaded", "p"), ("plugin_loaded", "q"), ("plugin_failed", "p"), ("q:sold_out", "q")):
        happen(event, plugin)

    def heard(query: str) -> list[tuple[str, str]]:
        return [(name, data["plugin_id"]) for _, name, data in told(api, f"?last_event_id={start}&{query}")]

    assert heard("plugin=q") == [("plugin_loaded", "q"), ("q:sold_out", "q")]
    assert heard("event=plugin_loaded") == [("plugin_loaded", "p"), ("plugin_loaded", "q")]
    assert heard("event=plugin_failed,q:*") == [("plugin_failed", "p"), ("q:sold_out", "q")]
    assert heard("event=plugin_loaded&plugin=p&plugin=r") == [("plugin_loaded", "p")]
    problem = api.get("/api/plugins/events?event=plugin_loadde").json()
    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "/event")


def test_who_hears_little_knows_where_to_resume_all_the_same(api: Client) -> None:
    first, *_, newest = [happen(plugin_id="q") for _ in range(3)]
    answer: Any = api.get(f"/api/plugins/events?plugin=p&last_event_id={first.id}")

    @async_to_sync
    async def second() -> bytes:
        stream = aiter(answer.streaming_content)
        blocks: list[bytes] = [await anext(stream), await anext(stream)]
        await stream.aclose()
        return blocks[1]

    assert second() == f"id: {newest.id}\n\n".encode()


def test_what_is_gone_is_told_first(api: Client) -> None:
    rows = [happen() for _ in range(5)]
    LifecycleEvent.objects.filter(id__lte=rows[2].id).delete()
    heard = told(api, f"?last_event_id={rows[0].id}")
    assert heard[0] == (str(rows[2].id), "gap", {"last_event_id": rows[0].id, "oldest": rows[3].id})
    assert [number for number, *_ in heard[1:]] == [str(rows[3].id), str(rows[4].id)]
    assert [number for number, *_ in told(api, f"?last_event_id={rows[2].id}")] == [str(rows[3].id), str(rows[4].id)]


def test_a_number_of_another_database_is_told_too(api: Client) -> None:
    row = happen()
    assert told(api, f"?last_event_id={row.id + 100}") == [
        (str(row.id), "gap", {"last_event_id": row.id + 100, "oldest": row.id})
    ]


@pytest.mark.parametrize("text", ["", "x", "-1", "9" * 30])
def test_what_is_no_number_begins_now(api: Client, text: str) -> None:
    happen()
    assert told(api, f"?last_event_id={text}") == []


def test_what_an_event_carries_cannot_pass_for_what_it_is(api: Client) -> None:
    lies = {"event": "plugin_loaded", "plugin_id": "q", "node": "there", "at": "never"}
    row = event_record(event="p:x", plugin_id="p", data=lies, node="here")
    [(number, name, data)] = told(api, f"?last_event_id={row.id - 1}")
    assert (name, data["event"], data["plugin_id"], data["node"]) == ("p:x", "p:x", "p", "here")
    assert number == str(row.id) and data["at"] != "never"


def test_a_plugins_past_is_a_page_newest_first(api: Client) -> None:
    happen("plugin_loading", generation=1)
    happen(plugin_id="other")
    happen("plugin_failed", generation=1, code="initialize_raised")
    page = api.get("/api/plugins/p/events").json()
    assert page["count"] == 2
    assert [row["event"] for row in page["results"]] == ["plugin_failed", "plugin_loading"]
    assert page["results"][0]["code"] == "initialize_raised" and page["results"][0]["id"]
    narrow = api.get("/api/plugins/p/events?event=plugin_loading&page_size=1").json()
    assert [row["event"] for row in narrow["results"]] == ["plugin_loading"]
    assert api.get("/api/plugins/nobody/events").json()["code"] == "plugin_not_found"


def test_old_events_are_forgotten_and_messages_about_them_are_not(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_BATCH", 3)
    monkeypatch.setattr("plugins_app.services.queue.enqueue", lambda task, one, **_: True)
    Webhook.objects.create(name="mine", url="https://x/", secret={})
    rows = [happen() for _ in range(10)]
    old = LifecycleEvent.objects.filter(id__lte=rows[6].id)
    old.update(at=timezone.now() - timedelta(days=91))
    assert events_prune() == 7
    assert list(LifecycleEvent.objects.order_by("id")) == rows[7:]
    assert WebhookDelivery.objects.count() == 10 and WebhookDelivery.objects.filter(event=None).count() == 7
    assert events_prune() == 0


def test_there_are_never_too_many_events(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_BATCH", 3)
    monkeypatch.setattr(events, "KEPT_AT_MOST", 4)
    rows = [happen() for _ in range(10)]
    assert events_prune() == 6
    assert list(LifecycleEvent.objects.order_by("id")) == rows[6:]
